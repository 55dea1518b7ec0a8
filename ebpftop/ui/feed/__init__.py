"""From the source to the screens: frames into the session, requests back."""

"""What stands out in a recording, and how certain that is; no screen."""

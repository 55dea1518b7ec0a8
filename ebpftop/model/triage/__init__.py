"""What stands out, of all that was recorded, and how sure that is; no screen."""

"""The base layer: every package may use it, and it imports none of ours."""

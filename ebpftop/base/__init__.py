"""The base layer: every package may use it, and it imports no other package of ours."""

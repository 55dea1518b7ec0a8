"""Frames of several machines as one stream, each over the user's own ssh."""

"""Frames of several machines as one stream, each over the person's own ssh."""

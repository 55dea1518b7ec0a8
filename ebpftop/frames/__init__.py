"""The messages that every part speaks, how they are written, tapes of them, and where they come from."""

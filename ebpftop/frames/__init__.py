"""The messages between all parts, their encoding, tapes of them, and their sources."""

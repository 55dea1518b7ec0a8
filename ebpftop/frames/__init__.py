"""The messages between all parts, their encoding, tapes of messages, and sources of messages."""

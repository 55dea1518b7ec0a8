"""Tapes as files: what is on one, parts of one, several as one, and one without names."""

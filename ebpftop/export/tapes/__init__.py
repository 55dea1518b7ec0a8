"""Tapes as files: lists their contents, cuts parts, merges several, and removes names."""

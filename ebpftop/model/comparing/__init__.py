"""Compares two spans of runs: matches their rows, gives their numbers, and decides which of them changed."""

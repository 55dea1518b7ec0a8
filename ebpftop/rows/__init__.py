"""Rows of columns, matched by their keys."""

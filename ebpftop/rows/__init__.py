"""Rows of columns, found again by their keys."""

"""Errors that the user can fix: one line each, and its exit code."""

from __future__ import annotations


class UserError(Exception):
    """The command failed."""

    status = 1


class UsageError(UserError):
    """The command line is wrong."""

    status = 2


class Cannot(UserError):
    """Impossible on this machine or for this user; the text says what would help."""

    status = 3

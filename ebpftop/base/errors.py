"""Errors that the user can fix: each has a message of one line and an exit code."""

from __future__ import annotations


class UserError(Exception):
    """The command failed."""

    status = 1


class UsageError(UserError):
    """The command line is wrong."""

    status = 2


class Cannot(UserError):
    """Not possible on this machine or for this user; the text says what would help."""

    status = 3

"""Errors that are a person's to mend: one line each, and the exit code that goes with it."""

from __future__ import annotations


class UserError(Exception):
    """The thing asked for failed."""

    status = 1


class UsageError(UserError):
    """It was asked for in a way that can't be."""

    status = 2


class Cannot(UserError):
    """This machine or this user can't; the text names the remedy."""

    status = 3

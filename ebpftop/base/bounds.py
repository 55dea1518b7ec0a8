"""What the dashboard keeps of what was, in bytes: the README and the list of keys state the sum."""

PAST = 64 << 20  # steps of all views, with the events of all logs
PROCESSES = 32 << 20  # identities, those that ended among them
STACKS = 16 << 20  # call stacks and the functions in them
KEPT = PAST + PROCESSES + STACKS

BUDGET = 25.0
"""Percent of one CPU that the programs of all probes may take, if nothing else is asked for."""

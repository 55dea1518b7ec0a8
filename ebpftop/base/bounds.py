"""Limits on the resources that ebpftop uses. The README and the list of keys state them."""

BUDGET = 25.0
"""Percent of one CPU for the programs of all probes, if nothing else is asked for."""

PAST = 64 << 20
"""Bytes that the dashboard keeps of the steps of all views, with the events of all logs."""

PROCESSES = 32 << 20
"""Bytes of identities, those of ended processes among them."""

STACKS = 16 << 20
"""Bytes of call stacks and the functions in them."""

KEPT = PAST + PROCESSES + STACKS

"""The gains of a run's views, step by step, within a bounded amount of memory."""

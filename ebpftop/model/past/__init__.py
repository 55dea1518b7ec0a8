"""What the views of a run gained, step by step, within a bounded amount of memory."""

"""Two spans of runs beside each other: their rows matched, their numbers, and which of them changed."""

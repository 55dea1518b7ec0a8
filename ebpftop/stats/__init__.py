"""Pure NumPy: log-linear histograms, quantile bounds, differences of snapshots, rates, and numbers as text."""

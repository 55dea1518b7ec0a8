"""The running kernel: its types and attach points, trials of its features, and a header tree generated from BTF.

Root processes import this package, so it uses only the standard library and libbpf.
"""

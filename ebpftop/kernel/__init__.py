"""What the running kernel offers: its types, its attach points, trials of what works, and a header tree made from BTF.

Root processes import this room, so it uses the standard library and libbpf only.
"""

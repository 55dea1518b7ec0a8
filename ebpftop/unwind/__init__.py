"""Call stacks of programs that keep no frame pointers, by the tables that compilers write for C++'s exceptions.

Pure: bytes of `.eh_frame` sections, registers and a piece of a stack in, addresses out. All of them are untrusted.
"""

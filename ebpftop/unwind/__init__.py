"""Unwinds call stacks of programs without frame pointers, with the tables that compilers write for C++ exceptions.

The package is pure: bytes of `.eh_frame` sections, registers and a piece of a stack in, addresses out. All input is
untrusted.
"""

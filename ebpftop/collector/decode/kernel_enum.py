"""Numbers of an enum whose values change between kernel releases: named by the running kernel's own BTF."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ebpftop.kernel.btf import Btf
from ebpftop.kernel.libbpf import KernelLacks


class KernelEnum:
    """`enum tag`, whose enumerators begin with `prefix`. BTF is read when a name is first needed, and then released.

    more: names of numbers that our probes use and the kernel's enum doesn't have.
    """

    def __init__(self, tag: str, prefix: str, more: Mapping[int, str] | None = None) -> None:
        self._tag, self._prefix, self._more = tag, prefix, more or {}

    @cached_property
    def names(self) -> dict[int, str]:
        """With the prefix."""
        try:
            return {**self._more, **Btf().enumerators(self._tag)}
        except KernelLacks:
            return {**self._more}

    def name(self, number: int) -> str:
        """`NO_SOCKET`, "" for a negative number, which stands for none, else the number."""
        if number < 0:
            return ""
        return self.names.get(number, str(number)).removeprefix(self._prefix)

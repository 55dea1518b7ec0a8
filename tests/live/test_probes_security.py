"""The probe of security/ sees each check of a capability, and what came of it."""

from __future__ import annotations

import pytest

from tests.support.tracing import any_kernel, trace, variant_of
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

NOBODY = 65534
# chroot(2) asks for one capability, once
CHROOT = """
if sys.argv[2:]:
    os.setgroups([])
    os.setresgid(int(sys.argv[2]), int(sys.argv[2]), int(sys.argv[2]))
    os.setresuid(int(sys.argv[2]), int(sys.argv[2]), int(sys.argv[2]))
def work():
    for _ in range(int(sys.argv[1])):
        try: os.chroot("/")
        except PermissionError: pass
"""


def test_checks_that_succeed_and_fail() -> None:
    with (
        Worker(CHROOT, 7) as root,
        Worker(CHROOT, 11, NOBODY) as nobody,
        trace("security/capable") as traced,
    ):
        root.work()
        nobody.work()
    granted = traced.events(pid=root.pid, capability="CAP_SYS_CHROOT")
    assert [(row["user"], row["result"]) for row in granted] == [("root", "")] * 7
    refused = traced.events(pid=nobody.pid, capability="CAP_SYS_CHROOT")
    assert [row["result"] for row in refused] == ["EPERM"] * 11
    assert traced.losses() == {}


@any_kernel
def test_only_refusals() -> None:
    with (
        Worker(CHROOT, 7) as root,
        Worker(CHROOT, 11, NOBODY) as nobody,
        trace("security/capable", refused="true") as traced,
    ):
        root.work()
        nobody.work()
    assert traced.events(pid=root.pid) == []
    assert len(traced.events(pid=nobody.pid, capability="CAP_SYS_CHROOT", result="EPERM")) == 11


@pytest.mark.parametrize(
    "variant", [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("fentry", "kprobe")]
)
def test_the_variants_for_older_kernels_see_the_same(variant: str) -> None:
    probe = variant_of("security/capable", "fexit" if variant == "fentry" else variant)
    with Worker(CHROOT, 11, NOBODY) as nobody, trace(probe, pid=nobody.pid) as traced:
        nobody.work()
    rows = traced.events(capability="CAP_SYS_CHROOT")
    assert [(row["pid"], row["result"]) for row in rows] == [(nobody.pid, "EPERM")] * 11

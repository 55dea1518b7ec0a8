"""Failed attachments are told from those of debuggers, containers and disks."""

import pytest

from ebpftop.verifier import errnos
from ebpftop.verifier.loaders import attaching


@pytest.mark.parametrize(
    "line",
    [
        "failed to attach to container 7f3a: Permission denied",
        "strace: attach: ptrace(PTRACE_SEIZE, 4711): Operation not permitted",
        "Could not attach to process.  ptrace: Operation not permitted.",
        "error: failed to attach volume vol-12 to node web-03: device or resource busy",
        "attach failed: No such file or directory",
        "kubelet: unable to attach or mount volumes: permission denied",
        "cannot attach to tmux session: No such file or directory",
    ],
)
def test_what_is_not_about_bpf_is_none(line: str) -> None:
    assert attaching.recognise(line, errnos.find(line)) is None


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("libbpf: prog 'sample': failed to attach: -EACCES", "privilege"),
        ("Failed to attach BPF programs: Permission denied", "privilege"),
        ("failed to attach program to cgroup: operation not permitted", "privilege"),
        ('level=fatal msg="attaching XDP" error="attach xdp: create link: device or resource busy"', "unsupported"),
        ("cannot attach kprobe, probe entry may not exist", "unsupported"),
        ("Error: failed to attach tcx: File exists", "unsupported"),
        ("failed to attach: ERROR: strerror_r(-524)=22", "unsupported"),
        ("attach fentry/do_unlinkat failed: no such file or directory", "unsupported"),
    ],
)
def test_what_names_something_of_bpf_is_explained(line: str, kind: str) -> None:
    found = attaching.recognise(line, errnos.find(line))
    assert found is not None
    assert found.kind == kind

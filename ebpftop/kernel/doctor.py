"""Tests what this machine can trace, with a remedy for each failure.

Checks that load a library or need private mounts run in a child process.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ebpftop.base import forking, streams
from ebpftop.kernel import bcc_home, btf, capabilities, headers, libbpf, support, tracefs, trial
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.kernel.ownership import only_root_writes
from ebpftop.kernel.support import Check

AS_ROOT = "run as root: sudo ebpftop doctor"

_INITIAL_USER = 0xEFFFFFFD  # the initial user namespace's inode: linux/proc_ns.h
_CHILD_SECONDS = 30


def checks() -> list[Check]:
    """All checks, in order. Any user can run them; checks that need root fail and say so."""
    return [
        support.kernel(),
        support.architecture(),
        _privilege(),
        support.proc(),
        support.pid_namespace(),
        support.time_namespace(),
        support.cgroup_namespace(),
        _lockdown(),
        _libbpf(),
        _btf(),
        *_in_child("BCC", _bcc),
        *_in_child("tracefs", _tracefs_and_trials),
        _installation(),
    ]


def _btf() -> Check:
    try:
        types = btf.running()
    except KernelLacks as lack:
        return Check("BTF", False, str(lack), lack.remedy)
    ok = types.tracepoint_args("sched_switch") is not None
    detail = f"{len(types)} types" if ok else "tracepoint prototypes are missing"
    return Check("BTF", ok, detail, "" if ok else "use a distribution's own kernel of 6.1 or newer")


def _privilege() -> Check:
    if os.geteuid() != 0:
        return _capabilities()
    with contextlib.suppress(OSError):  # no /proc, which is another check
        if os.stat("/proc/self/ns/user").st_ino != _INITIAL_USER:
            return Check("privilege", False, "root in a user namespace only", "run as root on the host")
    held = capabilities.held()
    if "CAP_SYS_ADMIN" in held:
        return Check("privilege", True, "root", "")
    lacking = [name for name in ("CAP_SYS_ADMIN", "CAP_PERFMON", "CAP_BPF") if name not in held]
    remedy = f"give the container {' '.join(lacking)}, or run on the host"
    return Check("privilege", False, f"root without {', '.join(lacking)}", remedy)


def _capabilities() -> Check:
    """Check the capabilities of a user other than root."""
    user = f"uid {os.geteuid()}"
    if not capabilities.may_trace():
        return Check("privilege", False, user, AS_ROOT)
    lacking = capabilities.lacking()
    if not lacking:
        return Check("privilege", True, f"{user} with all capabilities that matter", "")
    costs = "; ".join(f"{cost} ({name})" for name, cost in lacking.items())
    return Check("privilege", False, f"{user} with capabilities, but {costs}", f"give it {' '.join(lacking)}")


def _lockdown() -> Check:
    try:
        text = Path("/sys/kernel/security/lockdown").read_text()
    except OSError:
        return Check("lockdown", True, "not in use", "")
    match = re.search(r"\[(\w+)\]", text)
    level = match[1] if match else "none"
    if level != "confidentiality":  # "integrity" still allows reading kernel memory
        return Check("lockdown", True, level, "")
    return Check("lockdown", False, level, "boot with lockdown=integrity: confidentiality blocks reading kernel memory")


def _libbpf() -> Check:
    try:
        cpus = libbpf.possible_cpus()
    except KernelLacks as lack:
        return Check("libbpf", False, str(lack), lack.remedy)
    except OSError as error:
        return Check("libbpf", False, error.strerror or str(error), support.MOUNT_SYSFS)
    return Check("libbpf", True, f"libbpf.so.1, {cpus} possible CPUs", "")


def _bcc() -> list[Check]:
    """Import bcc, which loads LLVM, and compile a program. Run it in a child."""
    try:
        package = bcc_home.find()
        bcc = bcc_home.load(package)
    except KernelLacks as lack:
        return [Check("BCC", False, str(lack), lack.remedy)]
    except (ImportError, OSError) as error:
        return [Check("BCC", False, f"{package}: {error}", bcc_home.remedy())]
    detail = f"{bcc.__version__} in {package}"
    with tempfile.TemporaryDirectory(prefix="ebpftop-") as scratch:
        try:
            os.environ["BCC_KERNEL_SOURCE"] = str(headers.write_tree(Path(scratch), "").root)
            bcc.BPF(text=b"int nothing(void *context) { return 0; }")
        except KernelLacks as lack:
            return [Check("BCC", False, f"{detail} can't compile: {lack}", lack.remedy)]
        except Exception as error:  # bcc raises plain Exception
            return [Check("BCC", False, f"{detail} can't compile: {error}", bcc_home.remedy())]
    safe = only_root_writes(package)
    remedy = "" if safe else f"make {package} and its parent directories owned by root and writable by root only"
    return [
        Check("BCC", True, f"{detail}, compiles", ""),
        Check(
            "BCC's owner", safe, "only root can change it" if safe else "users other than root can change it", remedy
        ),
    ]


def _tracefs_and_trials() -> list[Check]:
    """Mount tracefs privately. Run it in a child."""
    return [_tracefs(), *(Check(name.replace("_", " "), *trial.trial(name)) for name in trial.MECHANISMS)]


def _tracefs() -> Check:
    try:
        if "CAP_SYS_ADMIN" in capabilities.held():
            tracefs.private_mounts()
            place = tracefs.mount_private()
            return Check("tracefs", (place / "events").is_dir(), f"at {place}", "")
    except OSError as error:
        return Check("tracefs", False, str(error.strerror), "run on the host, or mount tracefs into the container")
    there = tracefs.find()
    if there and os.access(there / "events", os.R_OK, effective_ids=True):
        return Check("tracefs", True, f"at {there}", "")
    detail = "readable by root only" if there else "not mounted; as root, ebpftop mounts it"
    return Check("tracefs", False, detail, AS_ROOT)


def _installation() -> Check:
    """Check the installation: anyone who can change the program's files can change what root runs."""
    package = Path(__file__).resolve().parents[1]
    places = (Path(sys.prefix), package, *(path for path in package.rglob("*") if path.is_dir()))
    open_places = [str(place) for place in places if not only_root_writes(place)]
    if not open_places:
        return Check("installation", True, "only root can change it", "")
    remedy = "install it where only root can write: the Debian package, or sudo pipx install --global ebpftop"
    return Check("installation", False, f"users other than root can change {open_places[0]}", remedy)


def _in_child(name: str, examine: Callable[[], list[Check]]) -> list[Check]:
    """Run checks in a forked child, which confines libraries, mounts and crashes; it has 30 seconds."""
    reading, writing = os.pipe()
    child = forking.fork()
    if child == 0:
        try:
            signal.alarm(_CHILD_SECONDS)
            silent = streams.null()
            for descriptor in (0, 1, 2):
                os.dup2(silent, descriptor)
            found = json.dumps(examine()).encode()
        except BaseException as error:
            found = json.dumps([Check(name, False, f"{type(error).__name__}: {error}", "")]).encode()
        try:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(found)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        found = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not found:
        detail = f"the test exited with status {code}" if code >= 0 else f"the test was killed by signal {-code}"
        return [Check(name, False, detail, bcc_home.remedy() if name == "BCC" else "")]
    return [Check(*fields) for fields in json.loads(found)]

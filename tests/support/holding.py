"""Runs commands as an ordinary user with some capabilities."""

from __future__ import annotations

NOBODY = 65534
TRACEFS = "/sys/kernel/tracing"
WITH_TRACEFS = (
    f"{{ mountpoint -q {TRACEFS} || mount -t tracefs tracefs {TRACEFS}; }} && "  # systemd mounts it at the start
)
MOUNTED = ("unshare", "-m", "sh", "-c", f'{WITH_TRACEFS}exec "$@"', "sh")


def holding(*names: str) -> tuple[str, ...]:
    """Words in front of a command: an ordinary user, with these capabilities and no way to gain others."""
    caps = ",".join(("-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in names)))
    sets = [f"--{kind}={caps}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    return (*MOUNTED, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *sets, "--no-new-privs")

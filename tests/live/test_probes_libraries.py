"""Calls of libraries and of the kernel: lookups, TLS, typed lines and single system calls, counted exactly."""

from __future__ import annotations

import os
import pty
import subprocess

import pytest

from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

SLEEP = "import time\ndef work():\n    for _ in range(7): time.sleep(0.02)"
LOOK_UPS = """
import ctypes, socket
libc = ctypes.CDLL(None)
def work():
    for _ in range(5): socket.getaddrinfo("127.0.0.1", 80)
    for _ in range(3):
        try: socket.getaddrinfo("nobody", 80, flags=socket.AI_NUMERICHOST)
        except socket.gaierror: pass
    for _ in range(2): libc.gethostbyname(b"127.0.0.2")
"""
# A client and a server in one process, without a certificate: one handshake, 23 records.
TLS = """
import ssl
def side(protocol):
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    return context
def work():
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = side(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(down, up)
    server = side(ssl.PROTOCOL_TLS_SERVER).wrap_bio(up, down, server_side=True)
    waiting = [client, server]
    while waiting:
        try: waiting[0].do_handshake()
        except ssl.SSLWantReadError: waiting.append(waiting.pop(0))
        else: waiting.pop(0)
    for _ in range(23):
        client.write(b"ping")
        server.read()
"""
NS = 20_000_000


def test_the_time_of_one_system_call() -> None:
    with (
        Worker(SLEEP) as worker,
        Worker(SLEEP) as other,
        trace("application/syslatency", syscall="clock_nanosleep", pid=worker.pid) as traced,
    ):
        worker.work()
        other.work()
    assert traced.count("latency", pid=worker.pid, syscall="clock_nanosleep") == traced.count("latency") == 7
    assert all(high > NS for _, high in traced.buckets("latency"))
    assert traced.losses() == {}


@pytest.mark.needs("uprobe")
def test_look_ups_of_host_names() -> None:
    with Worker(LOOK_UPS) as worker, trace("network/gethostlatency", pid=worker.pid) as traced:
        worker.work()
        traced.until(lambda: len(traced.events()) >= 10, "ten lookups")
    rows = [(row["pid"], row["host"], row["failed"]) for row in traced.events()]
    expected = [("127.0.0.1", 0)] * 5 + [("nobody", 1)] * 3 + [("127.0.0.2", 0)] * 2
    assert rows == [(worker.pid, *each) for each in expected]
    assert traced.count("latency", pid=worker.pid) == 10
    assert min(row["took"] for row in traced.events()) > 0
    assert traced.losses() == {}


@pytest.mark.needs("uprobe")
def test_calls_of_openssl() -> None:
    with Worker(TLS) as worker, trace("application/ssllatency", pid=worker.pid) as traced:
        worker.work()
    counts = {point: traced.count("latency", pid=worker.pid, point=point) for point in ("SSL_write_ex", "SSL_read_ex")}
    assert counts == {"SSL_write_ex": 23, "SSL_read_ex": 23}
    assert traced.count("latency", point="SSL_do_handshake") == 5  # the client waits twice, the server once
    assert traced.losses() == {}


@pytest.mark.needs("uprobe")
def test_lines_typed_into_a_shell() -> None:
    ours, theirs = pty.openpty()
    lines = [f": line {number}" for number in range(6)]  # it waits for the first already as the probe is attached
    shell = subprocess.Popen(
        ["/bin/bash", "--norc", "--noprofile", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"PATH": "/usr/bin:/bin", "TERM": "dumb", "PS1": "ready$ ", "HISTFILE": "/dev/null"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        prompt = b""
        while not prompt.endswith(b"ready$ "):
            prompt += os.read(ours, 1024)
        with trace("security/shellsnoop") as traced:
            os.write(ours, "".join(f"{line}\n" for line in lines).encode())
            traced.until(lambda: len(traced.events(pid=shell.pid)) >= len(lines) - 1, "five lines")
        rows = traced.events(pid=shell.pid)
        assert [(row["line"], row["user"]) for row in rows] == [(line, "root") for line in lines[1:]]
        assert traced.losses() == {}
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)


@pytest.mark.needs("uprobe")
@any_kernel
def test_quick_look_ups_are_left_out() -> None:
    with Worker(LOOK_UPS) as worker, trace("network/gethostlatency", pid=worker.pid, min="10s") as traced:
        worker.work()
    assert (traced.events(), traced.count("latency")) == ([], 0)

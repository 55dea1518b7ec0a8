"""Storms of events: what was made is what was seen and what was counted as lost, whatever the rate, for every probe
of events that can be stormed here.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from ebpftop.catalog.folders import read_catalog
from tests.support import storms
from tests.support.storms import NAME, Storm, Storming, storming
from tests.support.tracing import Tracing, any_kernel, trace

pytestmark = [pytest.mark.bpf, any_kernel]

# Seconds after every 50 actions, and the part of `each` that is done: 5,000 actions a second at most, 50,000, and as
# many as there can be.
RATES = ((0.01, 0.1), (0.001, 0.5), (0, 1))

UNSTORMED = {
    "disk/dcsnoop": "needs fentry or kprobes",
    "disk/filelife": "needs fentry or kprobes",
    "lab/leaked-reference": "rejected by the verifier, as it should be",
    "lab/uninitialised": "rejected by the verifier, as it should be",
    "security/modules": "needs a kernel with modules, and one that nobody misses",
}

_LIBC = "import ctypes\nlibc = ctypes.CDLL(None)"
_SOCKET = "import socket\nfrom socket import AF_INET, SOCK_DGRAM"
_PROGRAM = "path = sys.argv[3]"
_RUN = "os.waitpid(os.posix_spawn(path, [path], {}), 0)"

_DISK = """
import mmap
file, page = os.open(sys.argv[3], os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 4096)
"""
_CHANGING = f"""
{_LIBC}
file = os.open(f"{{sys.argv[3]}}/{{os.getpid()}}", os.O_WRONLY | os.O_CREAT)
def change():
    os.pwrite(file, b"x", 0)
    libc.syncfs(file)
"""
_PARTS = "file, part = os.open(sys.argv[3], os.O_RDONLY), bytearray(1 << 18)"
_GREEDY = """
def die():
    if not (child := os.fork()):
        with open(sys.argv[3], "w") as file: file.write("0")
        bytearray(64 << 20)
        os._exit(0)
    os.waitpid(child, 0)
"""
_QUERY = f"""
{_SOCKET}
one, query = socket.socket(AF_INET, SOCK_DGRAM), bytes.fromhex("00010100000100000000000001610000010001")
"""
_LISTENING = f"""
{_SOCKET}
one = socket.create_server((HOST, 0))
address = one.getsockname()
def talk():  # an end closes once the other has told it all: the connection always passes the same states
    ours, theirs = socket.create_connection(address), one.accept()[0]
    theirs.close()
    ours.recv(1)
    ours.close()
"""
_REFUSED = f"""
{_SOCKET}
def ask():
    with socket.socket() as one: one.connect_ex((HOST, 1))
"""
# A server with room for one connection. The kernel drops the requests of the others, so that they are sent again.
_FULL = f"""
{_SOCKET}
import fcntl, re, resource, struct, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
with socket.socket() as control:
    fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS; IFF_UP, IFF_RUNNING
server = socket.socket()
server.bind((HOST, 1))
server.listen(0)
asking = []
def sent_again():
    names, values = re.findall("^Tcp: (.*)", open("/proc/thread-self/net/snmp").read(), re.MULTILINE)
    return int(values.split()[names.split().index("RetransSegs")])
def ask():
    asking.append(socket.socket())
    asking[-1].setblocking(False)
    asking[-1].connect_ex((HOST, 1))
def wait():
    before = sent_again()
    while sent_again() - before < len(asking) - 2: time.sleep(0.05)
    while asking: asking.pop().close()
"""
_PINGING = f"""
{_SOCKET}
import struct
one = socket.socket(AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
one.bind((f"127.75.{{os.getpid() >> 8 & 0xFF}}.{{os.getpid() & 0xFF}}", 0))  # so that it gets its own replies alone
request = struct.pack("!BBHHH", 8, 0, 0xF7FF, 0, 0)
def ping():
    one.sendto(request, (HOST, 0))
    one.recv(64)
"""
_LINES = """
import ctypes
libc, editor = ctypes.CDLL(None), ctypes.CDLL(sys.argv[3])
libc.fopen.restype = editor.readline.restype = ctypes.c_void_p
file = os.memfd_create("lines")
os.write(file, b"a line\\n" * 100_000)
for name, file in (("rl_instream", libc.fopen(f"/proc/self/fd/{file}".encode(), b"r")),
                   ("rl_outstream", libc.fopen(b"/dev/null", b"w"))):
    ctypes.c_void_p.in_dll(editor, name).value = file
def read(): libc.free(ctypes.c_void_p(editor.readline(b"")))
"""

# Awake all the time. A sleeper is woken in whatever a timer interrupts, and for some that is nothing that BPF may see:
# machines for sandboxes run no program, and count no miss, while their own agent is on a CPU.
_YIELDING = """
import time
def spin(pause):
    end = time.monotonic() + pause
    while time.monotonic() < end: pass
"""

# A thread that waits twice has one gap. Between rounds nothing waits for events.
_LOOPS = """
import threading, time
select.select = lambda *waits: time.sleep(waits[-1])
def twice():
    for _ in range(2): select.poll().poll(0)
def loop():
    thread = threading.Thread(target=twice)
    thread.start()
    thread.join()
"""


def _at(host: str, set_up: str) -> dict[str, Any]:
    """An address of this machine that nobody else uses."""
    return {"set_up": f"HOST = {host!r}\n{set_up}", "params": {"address": host}}


_ZONES = len(re.findall(r"^ +present +[1-9]", Path("/proc/zoneinfo").read_text(), re.MULTILINE))

STORMS = [
    Storm(
        "application/funcslower",
        "libc.getppid()",
        _LIBC,
        params={"comm": NAME, "binary": "libc", "symbol": "getppid", "slower": "0ns"},
        past=60_000,
    ),
    Storm("application/loopgaps", "loop()", _LOOPS, 500, params={"comm": NAME, "slower": "0ns"}),
    Storm("cpu/execsnoop", _RUN, _PROGRAM, 300, place=storms.program),
    Storm("cpu/exitsnoop", _RUN, _PROGRAM, 300, place=storms.program),
    Storm("cpu/naptime", "time.sleep(1e-9)", "import time", 1000, params={"comm": NAME, "slower": "1us"}),
    Storm(
        "cpu/runqslower",
        "os.sched_yield()",
        _YIELDING,
        each=20_000,
        params={"comm": NAME, "slower": "1ns"},
        place=storms.on_one_cpu,
        past=60_000,
        rest="spin(pause)",
    ),
    Storm("disk/biosnoop", "os.preadv(file, [page], 0)", _DISK, 4000, place=storms.disk),
    Storm("disk/fileops", "libc.unlink(b'/nowhere/at/all')", _LIBC, 10_000, past=60_000),
    Storm(
        "disk/fsslower",
        "os.pread(file, 1, 0)",
        "file = os.memfd_create('nothing')",
        20_000,
        params={"comm": NAME, "slower": "0ns", "fs": "tmpfs"},
        past=40_000,
    ),
    Storm("disk/mountsnoop", "libc.umount2(b'/nowhere', 0)", _LIBC),
    Storm("disk/opensnoop", "libc.open(b'/nowhere/at/all', 0)", _LIBC, 20_000, past=150_000),
    Storm("disk/statsnoop", "os.path.exists('/nowhere/at/all')", each=20_000),
    Storm("disk/writeback", "change()", _CHANGING, 200, params={}, place=storms.mounted),
    Storm(
        "memory/compactsnoop",
        "with open('/proc/sys/vm/compact_memory', 'w') as file: file.write('1')",
        each=4,
        events=_ZONES,
        pause_after=1,
    ),
    Storm("memory/drsnoop", "os.preadv(file, [part], number % 256 << 18)", _PARTS, 1000, place=storms.little_memory),
    Storm("memory/oomkill", "die()", _GREEDY, 30, params={}, place=storms.no_memory, pause_after=1),
    Storm("network/bindsnoop", "with socket.socket() as one: one.bind(('127.0.0.1', 0))", _SOCKET),
    Storm("network/dnssnoop", "one.sendto(query, ('127.0.0.2', 53))", _QUERY),
    Storm("network/gethostlatency", "socket.getaddrinfo('127.0.0.1', 80)", "import socket"),
    Storm("network/icmpsnoop", "ping()", events=4, past=12_000, **_at("127.76.0.1", _PINGING)),
    Storm("network/listensnoop", "one.listen()", f"HOST = '127.0.0.1'\n{_LISTENING}", 10_000),
    Storm("network/tcpaccept", "talk()", f"HOST = '127.0.0.1'\n{_LISTENING}", 500),
    Storm("network/tcpconnect", "talk()", f"HOST = '127.0.0.1'\n{_LISTENING}", 500),
    Storm("network/tcpconnlat", "talk()", f"HOST = '127.0.0.1'\n{_LISTENING}", 500),
    Storm("network/tcpdrop", "ask()", **_at("127.77.0.1", _REFUSED)),
    Storm("network/tcplife", "talk()", each=500, events=2, **_at("127.78.0.1", _LISTENING)),
    Storm("network/tcpretrans", "ask()", last="wait()", place=storms.own_network, **_at("127.79.0.1", _FULL)),
    Storm("network/tcprst", "ask()", events=2, past=20_000, **_at("127.80.0.1", _REFUSED)),
    Storm("network/tcpstates", "talk()", each=500, events=10, past=3_000, **_at("127.81.0.1", _LISTENING)),
    Storm(
        "security/bpfsnoop", "libc.syscall(321, 0, nothing, 64)", f"{_LIBC}\nnothing = bytes(64)", 10_000, past=60_000
    ),
    Storm("security/capable", "libc.sethostname(None, -1)", _LIBC, 10_000, past=50_000),
    Storm(
        "security/killsnoop",
        "os.kill(os.getpid(), 30)",
        "import signal\nsignal.signal(30, signal.SIG_IGN)",
        20_000,
        past=40_000,
    ),
    Storm("security/privesc", _RUN, _PROGRAM, 300, place=storms.setuid_program),
    Storm("security/ptracesnoop", "libc.ptrace(16, 0x3fffffff, 0, 0)", _LIBC, 10_000),
    Storm("security/setuids", "os.setuid(0)", each=20_000, past=40_000),
    Storm("security/shellsnoop", "read()", _LINES, 1000, params={}, place=storms.line_editor, past=12_000),
    Storm("security/unshare", "libc.setns(-1, 0)", _LIBC, 10_000),
]


def rows(traced: Tracing, stormed: Storming) -> int:
    """Events of the storm that were seen."""
    return sum(
        len(traced.events(name, **stormed.place.rows))
        for name, view in traced.lines[0]["views"].items()
        if view["kind"] == "events"
    )


def lost(traced: Tracing) -> int:
    return int(traced.lines[-1]["lost"])


def until_accounted(traced: Tracing, stormed: Storming) -> None:
    made = stormed.made()
    traced.until(lambda: rows(traced, stormed) + lost(traced) >= made, f"{made:,} events are accounted for")


def test_every_probe_of_events_is_stormed_or_has_a_reason() -> None:
    probes = [
        name for name, probe in read_catalog().probes.items() if any(view.show == "events" for view in probe.views)
    ]
    stormed = [storm.probe for storm in STORMS]
    assert sorted([*stormed, *UNSTORMED]) == sorted(probes)


@pytest.mark.parametrize("storm", STORMS, ids=lambda storm: storm.name)
def test_made_is_seen_and_lost_at_every_rate(storm: Storm, tmp_path: Path) -> None:
    rounds = [(pause, round(part * storm.each)) for pause, part in RATES]
    with storming(storm, tmp_path, rounds) as stormed, trace(storm.probe, **stormed.params) as traced:
        stormed.begin()
        for _ in rounds:
            stormed.round()
            until_accounted(traced, stormed)
            assert rows(traced, stormed) + lost(traced) == stormed.made()
        made = stormed.made()
    assert rows(traced, stormed) + lost(traced) == made > 0


@pytest.mark.parametrize("storm", [storm for storm in STORMS if storm.past], ids=lambda storm: storm.name)
def test_past_the_rings_capacity_what_is_lost_is_counted(storm: Storm, tmp_path: Path) -> None:
    """Nobody reads while more is made than the ring holds. Only for probes whose filter leaves out all other events: a
    loss can be anybody's.
    """
    rounds = [(0.0, storm.past), (0.0, storm.past // 50)]
    with storming(storm, tmp_path, rounds) as stormed, trace(storm.probe, **stormed.params) as traced:
        stormed.begin()
        collector = traced.collector
        os.kill(collector, signal.SIGSTOP)
        try:
            stormed.round()
        finally:
            os.kill(collector, signal.SIGCONT)
        first = stormed.made()
        until_accounted(traced, stormed)
        seen, were_lost = rows(traced, stormed), lost(traced)
        assert seen + were_lost == first
        assert were_lost > 0
        assert seen > 0
        stormed.round()  # there is room again
        made = stormed.made()
        traced.until(lambda: rows(traced, stormed) >= seen + made - first, "those that fit are seen")
    assert (rows(traced, stormed), lost(traced)) == (made - were_lost, were_lost)

"""Traffic for the network probes: servers and clients as workers, and a private network that drops and delays packets.

A wire is a TUN device in a network namespace, and a process behind it that sends each packet back with its addresses
swapped, which keeps all checksums valid: a connection to `FAR` reaches a server on `NEAR`, which sees a peer on `FAR`.
Nothing leaves the namespace, and it disappears with the process.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType

NEAR, FAR = "10.9.0.1", "10.9.0.2"
_CLONE_NEWNET = 0x40000000

# Serves a given number of connections: reads all data, answers with a given number of bytes.
SERVE = """
import socket
family, host = (socket.AF_INET6, "::1") if sys.argv[1] == "6" else (socket.AF_INET, "127.0.0.1")
server = socket.create_server((host, int(sys.argv[2])), family=family, backlog=128)
def work():
    for _ in range(int(sys.argv[3])):
        connection, _ = server.accept()
        while connection.recv(65536): pass
        connection.sendall(bytes(int(sys.argv[4])))
        connection.close()
"""
CONNECT = """
import socket
host = "::1" if sys.argv[1] == "6" else "127.0.0.1"
def work():
    for _ in range(int(sys.argv[3])):
        with socket.create_connection((host, int(sys.argv[2]))) as connection:
            connection.sendall(bytes(int(sys.argv[4])))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536): pass
"""
# Answers each byte with the same, on one connection that stays open.
ECHO = """
import socket
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
def work():
    global connection
    connection, _ = server.accept()
    while data := connection.recv(1): connection.sendall(data)
"""
PING = """
import socket
def work():
    global connection
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), source_address=(sys.argv[3], 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(int(sys.argv[4])):
        connection.sendall(b"x")
        connection.recv(1)
"""
# Sends bytes in bulk, in segments of 1000 bytes, to a server that reads them all before it answers.
DRAIN = """
import socket
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
def work():
    connection, _ = server.accept()
    left = int(sys.argv[3])
    while left: left -= len(connection.recv(left))
    connection.sendall(b"x")
"""
BULK = """
import socket
def work():
    global connection
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
    connection.bind((sys.argv[3], 0))
    connection.connect((sys.argv[1], int(sys.argv[2])))
    connection.sendall(bytes(int(sys.argv[4])))
    connection.recv(1)
"""
# Sends a number of datagrams of a given size to 127.0.0.1, without waiting.
DATAGRAMS = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def work():
    for _ in range(int(sys.argv[2])): sender.sendto(bytes(int(sys.argv[3])), ("127.0.0.1", int(sys.argv[1])))
"""
# Limits the bytes per second that leave the network's lo, with a tbf queue that drops any bytes above a limit; reads
# its counts. See rtnetlink(7), tc-tbf(8), the kernel's include/uapi/linux/gen_stats.h.
SLOW_LOOPBACK = """
import socket, struct
def attribute(kind, data): return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def slow_down(rate, limit=1_000_000):
    ratespec = struct.pack("BBHhHI", 0, 1, 0, 0, 0, rate)  # of Ethernet: no table of times needed
    parameters = ratespec + bytes(12) + struct.pack("III", limit, 0, 0)
    options = attribute(1, parameters) + attribute(6, struct.pack("I", 1500))
    body = struct.pack("BxxxiIII", socket.AF_UNSPEC, socket.if_nametoindex("lo"), 0, 0xFFFFFFFF, 0)
    body += attribute(1, b"tbf\\0") + attribute(2, options)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.send(struct.pack("IHHII", 16 + len(body), 36, 0x505, 1, 0) + body)  # NEWQDISC; REQUEST, ACK, CREATE
        error = struct.unpack_from("i", link.recv(4096), 16)[0]
        if error: raise OSError(-error, os.strerror(-error))
def attributes(data):
    found = {}
    while data:
        size, kind = struct.unpack_from("HH", data)
        found[kind] = data[4:size]
        data = data[size + 3 & ~3:]
    return found
def queue_counts():  # (packets that left, packets dropped)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        body = struct.pack("BxxxiIII", socket.AF_UNSPEC, socket.if_nametoindex("lo"), 0, 0, 0)
        link.send(struct.pack("IHHII", 16 + len(body), 38, 0x301, 1, 0) + body)  # GETQDISC; REQUEST, DUMP
        answers = link.recv(65536)
    while answers:
        size, = struct.unpack_from("I", answers)
        found = attributes(answers[36:size])
        if found.get(1) == b"tbf\\0":
            counts = attributes(found[7])  # TCA_STATS2: TCA_STATS_BASIC, TCA_STATS_QUEUE
            return struct.unpack_from("QI", counts[1])[1], struct.unpack_from("III", counts[3])[2]
        answers = answers[size:]
"""
# Attempts a number of connections to a port without a listener.
REFUSED = """
import socket
def work():
    for _ in range(int(sys.argv[2])):
        try: socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        except ConnectionRefusedError: pass
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def device_counts(pid: int, device: str) -> dict[str, int]:
    """The kernel's counts for a device in the network namespace of a process, see proc_net(5)."""
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()
    values = next(line.split()[1:] for line in lines if line.strip().startswith(f"{device}:"))
    return {"received_bytes": int(values[0]), "received": int(values[1]), "sent": int(values[9])}


_WIRE = """
import collections, ctypes, fcntl, os, select, socket, struct, subprocess, sys, time
near, delay, lost_kinds, lost_port = sys.argv[1], float(sys.argv[2]), sys.argv[3].split(), int(sys.argv[4])
if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
    raise OSError(ctypes.get_errno(), "unshare")
if not os.path.exists("/dev/net/tun"):
    subprocess.run(["modprobe", "tun"], check=True)
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"wire", 0x1001))  # TUNSETIFF; IFF_TUN, IFF_NO_PI
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for request, number, address in ((0x8916, 0, near), (0x891C, 0, "255.255.255.0")):  # SIOCSIFADDR, SIOCSIFNETMASK
    fcntl.ioctl(control, request, struct.pack("16sHH4s8x", b"wire", socket.AF_INET, 0, socket.inet_aton(address)))
for name in (b"wire", b"lo"):
    fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", name, 0x41))  # SIOCSIFFLAGS; IFF_UP, IFF_RUNNING
os.write(1, b"r")

waiting, seen = collections.deque(), set()

def lost(packet):  # the first copy of each segment of the kind that goes to the port
    if packet[9] != 6 or not lost_port:
        return False
    inside = packet[(packet[0] & 15) * 4:]
    ports, sequence, flags = struct.unpack_from("!IIxxxxxB", inside)
    size = len(inside) - (inside[12] >> 4) * 4
    kind = "syn" if flags & 2 else "data" if size else ""
    if kind not in lost_kinds or ports & 0xffff != lost_port or (ports, sequence) in seen:
        return False
    seen.add((ports, sequence))
    return True

while True:
    patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
    if tun in select.select([tun], [], [], patience)[0]:
        packet = bytearray(os.read(tun, 65536))
        if packet[0] >> 4 == 4 and not lost(packet):
            packet[12:16], packet[16:20] = packet[16:20], packet[12:16]
            waiting.append((time.monotonic() + delay, packet))
    while waiting and waiting[0][0] <= time.monotonic():
        os.write(tun, waiting.popleft()[1])
"""


class Wire:
    """The network described above. `delay` in seconds holds for each packet, so twice for there and back.

    `lose`: "syn", "data" or both with a blank: the first copy of each such TCP segment that goes to `port` is lost.
    """

    def __init__(self, *, delay: float = 0.0, lose: str = "", port: int = 0) -> None:
        arguments = [sys.executable, "-c", _WIRE, NEAR, str(delay), lose, str(port)]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.read(1) == b"r", "the wire could not be made"

    def enter(self) -> None:
        """Move the calling process to this network; run it first in a worker."""
        namespace = os.open(f"/proc/{self._process.pid}/ns/net", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(namespace)

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

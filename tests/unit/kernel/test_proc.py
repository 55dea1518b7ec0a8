"""Texts of /proc, also those that a hostile process has written, and a folder that never leads to another process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ebpftop.kernel import proc
from ebpftop.kernel.proc import Connection, Limit, ProcessFolder, Stat

TAIL = (
    b" S 7 1 1 0 -1 4194304 1 0 0 0 30 12 0 0 20 0 5 0 4711 999 10 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 3"
    b" 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)
HOSTILE = ["plain", "a) R 1 (b", "a\nb) Z 0", "x)", "(((", ""]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_with_parentheses_and_newlines_shifts_no_field(name: str) -> None:
    read = proc.stat(b"42 (" + name.encode() + b")" + TAIL)
    assert read == Stat(name, "S", 7, 5, 4711 * proc.TICK_NS, 42 * proc.TICK_NS, cpu=3)
    assert proc.stat(b"42 (" + name.encode() + b")" + TAIL.replace(b"4194304", b"69238880")).kernel


def test_what_is_not_utf_8_stays_visible() -> None:
    assert proc.stat(b"42 (\xff\x1b)" + TAIL).comm == "\\xff\x1b"
    assert proc.command_line(b"a\0b\xff\0\0") == "a b\\xff"


def test_a_status_is_read_by_name_and_a_second_line_of_it_does_not_count() -> None:
    read = proc.status(b"Name:\tx\nUid:\t1\t2\t3\t4\nVmRSS:\t    12 kB\nUid:\t0\t0\t0\t0\nrest")
    assert read == {"Name": "x", "Uid": "1\t2\t3\t4", "VmRSS": "12 kB"}
    assert proc.kilobytes(read["VmRSS"]) == 12 * 1024
    assert [proc.kilobytes(each) for each in (None, "", "12", "-1 kB", "x kB")] == [None] * 5


def test_limits_are_numbers_or_none() -> None:
    read = proc.limits(
        b"Limit                     Soft Limit           Hard Limit           Units     \n"
        b"Max open files            20                   4096                 files     \n"
        b"Max core file size        0                    unlimited            bytes     \n"
        b"Max nice priority         0                    0                    \n"
    )
    assert read == [Limit("open files", 20, 4096), Limit("core file size", 0, None), Limit("nice priority", 0, 0)]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b"0::/system.slice/backup.service\n", "/system.slice/backup.service"),
        (b"4:memory:/one\n1:name=systemd:/two:three/four\n0::/\n", "/one"),
        (b"9:pids:/a/b\n4:memory:/a/c\n3:cpu,cpuacct:/a\n0::/\n", "/a/c"),
        (b"9:pids:/a/b\n4:memory:/a/c\n0::/d\n", "/d"),
        (b"4:memory:/\n1:name=systemd:/two:three\n0::/\n", "/two:three"),
        (b"4:memory:/\n1:name=systemd:/\n", "/"),
        (b"x:memory:/a\n4:memory\n\n", ""),
        (b"0::/a:b\n", "/a:b"),
        (b"", ""),
    ],
)
def test_a_cgroup_is_that_of_the_unified_hierarchy_if_it_is_used(text: bytes, path: str) -> None:
    assert proc.cgroup(text) == path


def test_sockets_are_found_by_their_inodes() -> None:
    tcp = [
        b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
        b"   0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 11 1 0 100 0 0 10 0\n",
        b"   1: 0100007F:1F91 0200007F:0050 01 0:0 0:0 0 0 0 12 1 0 100 0 0 10 0\n",
        b"   2: 0100007F:1F92 00000000:0000 0A 0:0 0:0 0 0 0 13 1 0 100 0 0 10 0\n",
        b"cut",
    ]
    assert proc.connections("tcp", iter(tcp), {11, 12}) == {
        11: Connection("tcp", "127.0.0.1:8080", "", "listening"),
        12: Connection("tcp", "127.0.0.1:8081", "127.0.0.2:80", "established"),
    }
    unix = [
        b"Num       RefCount Protocol Flags    Type St Inode Path\n",
        b"0000: 00000002 00000000 00010000 0001 01 21 /run/my socket\n",
        b"0000: 00000003 00000000 00000000 0001 03 22\n",
    ]
    assert proc.connections("unix", iter(unix), {21, 22}) == {
        21: Connection("unix", "/run/my socket", "", "listening"),
        22: Connection("unix", "", "", "connected"),
    }
    six = b"00000000000000000000000001000000:0016"
    assert proc.endpoint(six) == "[::1]:22"


def test_the_folder_of_a_process_leads_to_no_other_one() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with ProcessFolder(child.pid, None) as folder:
            start = folder.stat.start_ns
        with pytest.raises(ProcessLookupError):
            ProcessFolder(child.pid, start + 10**9)
        folder = ProcessFolder(child.pid, start)
        assert folder.exists()
        child.communicate(b"\n")
    with folder:
        assert not folder.exists()
        with pytest.raises(ProcessLookupError):
            folder.read("cmdline")
    with pytest.raises(ProcessLookupError):
        ProcessFolder(child.pid, start)


@pytest.mark.parametrize("pid", [0, -1, 1 << 40])
def test_no_process_has_such_a_number(pid: int) -> None:
    with pytest.raises(ProcessLookupError):
        ProcessFolder(pid, None)


def test_what_is_read_is_bounded() -> None:
    with ProcessFolder(os.getpid(), None) as folder:
        assert len(folder.read("maps", 100)) == 100
        assert sum(map(len, folder.lines("maps", 300))) <= 300
        assert len(folder.numbers("fd", 2)) == 2
        assert folder.link("cwd") == os.getcwd()

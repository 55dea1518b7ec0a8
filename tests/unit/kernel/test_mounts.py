from pathlib import Path

from ebpftop.kernel import mounts

TABLE = (
    b"cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n"
    b"fuse /home/me/\xff\x1c\xc2\x85 fuse rw 0 0\n"
    b"cgroup2 /sys/fs/a\\040b\\134 cgroup2 rw 0 0\n"
    b"cgroup2 /sys/fs/second cgroup2 rw 0 0\n"
)


def test_places_come_in_order_whatever_bytes_stand_between(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_bytes(TABLE)
    assert mounts.of_kind("cgroup2", table) == [Path("/sys/fs/a b\\"), Path("/sys/fs/second")]
    assert mounts.of_kind("tracefs", table) == []

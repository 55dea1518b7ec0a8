from pathlib import Path

from ebpftop.kernel import mounts

TABLE = (
    b"cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu,cpuacct 0 0\n"
    b"cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n"
    b"cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
    b"cgroup /mnt/memory cgroup rw,memory 0 0\n"
    b"fuse /home/me/\xff\x1c\xc2\x85 fuse rw 0 0\n"
    b"cgroup2 /sys/fs/a\\040b\\134 cgroup2 rw 0 0\n"
    b"cgroup2 /sys/fs/second cgroup2 rw 0 0\n"
)


def test_places_come_in_order_whatever_bytes_stand_between(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_bytes(TABLE)
    assert mounts.of_kind("cgroup2", table) == [Path("/sys/fs/a b\\"), Path("/sys/fs/second")]
    assert mounts.of_kind("tracefs", table) == []


def test_a_hierarchy_with_controllers_is_known_by_the_kernels_number(tmp_path: Path) -> None:
    table, controllers = tmp_path / "mounts", tmp_path / "cgroups"
    table.write_bytes(TABLE)
    controllers.write_text(
        "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t1\t1\ncpuacct\t3\t1\t1\nmemory\t7\t9\t1\npids\t0\t1\t1\n"
    )
    assert mounts.hierarchies(table, controllers) == {
        0: Path("/sys/fs/a b\\"),
        3: Path("/sys/fs/cgroup/cpu"),
        7: Path("/sys/fs/cgroup/memory"),
    }

"""`make packages-check`: the packages in clean Debians, and the wheel and the sdist by uv and pipx; as root.

In a Debian 12 and a 13 that debootstrap made, on the running kernel: the package brings what it needs, counts what was
done, leaves doctor nothing to warn of, and leaves nothing when it is purged.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.processes import eventually

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ebpftop"
RELEASES = {"12": "bookworm", "13": "trixie"}
INCLUDED = "ca-certificates,man-db,sudo"  # what is there before
PERSON = "alice"
SLEEPS = 211
TOLD = 0.97  # of waits for a CPU: the scheduler's own tracepoint does not tell of each switch
TOOLS = "uv>=0.13,<0.14", "pipx>=1.7,<2"

# What apt, dpkg and their triggers keep for themselves, and what lies in memory.
KEPT = re.compile(r"/(var/(lib/(dpkg|apt)|cache/(apt|debconf|ldconfig|man)|log)|etc/ld\.so\.cache|run)(/|$)")
WORK = f"""
import time
def timeslices():
    return int(open("/proc/self/schedstat").read().split()[2])
open("/proc/self/comm", "w").write("sleeper")
input()
before = timeslices()
for _ in range({SLEEPS}): time.sleep(0.001)
print(timeslices() - before, flush=True)
input()
"""


def main() -> int:
    if "EBPFTOP_MOUNTS" not in os.environ:  # mounts in a namespace of their own are gone however this ends
        command = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            sys.executable,
            "-m",
            "tests.packages_check",
            *sys.argv[1:],
        ]
        return subprocess.run(command, env={**os.environ, "EBPFTOP_MOUNTS": "1"}, cwd=ROOT, check=False).returncode
    asked = sys.argv[1:] or [*RELEASES, "tools"]
    for number in asked:
        if number == "tools":
            _check_tools()
            continue
        (package,) = (ROOT / "dist").glob(f"ebpftop_*~deb{number}_*.deb")
        print(f"== Debian {number}: {package.name}", flush=True)
        with _debian(RELEASES[number]) as system:
            _check(system, package)
    print("they are as they should be")
    return 0


# ---------------------------------------------------------------- a clean system


class System:
    """A Debian in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def command(self, *words: str) -> list[str]:
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = [f"PATH={path}", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        return ["chroot", str(self.root), "env", "-i", *environment, *words]

    def run(self, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def person(self, line: str) -> subprocess.CompletedProcess[str]:
        return self.run("su", "-", PERSON, "-c", line)

    def files(self) -> set[str]:
        """All paths of its own file system."""
        found = set()
        device = self.root.stat().st_dev
        for folder, folders, files in os.walk(self.root):
            folders[:] = [each for each in folders if os.lstat(f"{folder}/{each}").st_dev == device]
            found |= {f"{folder}/{each}".removeprefix(str(self.root)) for each in (*folders, *files)}
        return found


@contextmanager
def _debian(name: str) -> Iterator[System]:
    """A copy of a clean system that is thrown away."""
    clean = CACHE / f"clean-{name}"
    if not (clean / "complete").exists():
        shutil.rmtree(clean, ignore_errors=True)
        clean.mkdir(parents=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={INCLUDED}", name, clean / "root"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (clean / "complete").touch()
    # what is written is in memory, and gone with the mounts, in this process's own namespace
    with tempfile.TemporaryDirectory(prefix="ebpftop-") as folder, ExitStack() as stack:
        _mount(stack, Path(folder), "-t", "tmpfs", "tmpfs")
        upper, work, root = (Path(folder, each) for each in ("upper", "work", "root"))
        for each in (upper, work, root):
            each.mkdir()
        _mount(stack, root, "-t", "overlay", "overlay", "-o", f"lowerdir={clean}/root,upperdir={upper},workdir={work}")
        for name in ("proc", "sys", "dev"):
            _mount(stack, root / name, "--rbind", f"/{name}")
        _mount(stack, root / "tmp", "-t", "tmpfs", "tmpfs")
        shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")  # no service is started in here
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        system = System(root)
        system.run("useradd", "--create-home", "--shell", "/bin/bash", PERSON)
        (root / "etc/sudoers.d/everything").write_text(f"{PERSON} ALL=(ALL) NOPASSWD: ALL\n")
        system.run("apt-get", "-qq", "update")
        yield system


def _mount(stack: ExitStack, place: Path, *words: str) -> None:
    """Until the stack ends: what can't be unmounted then must not be removed either, and ends the process here."""
    subprocess.run(["mount", *words, place], check=True)
    stack.callback(_unmount, place)


def _unmount(place: Path) -> None:
    if subprocess.run(["umount", "--recursive", "--lazy", place], check=False).returncode or os.path.ismount(place):
        os._exit(1)


# ---------------------------------------------------------------- what is checked


def _check(system: System, package: Path) -> None:
    shutil.copyfile(package, system.root / "tmp" / package.name)
    install = ("apt-get", "-qq", "--no-install-recommends", "-y")
    wanted = system.run(*install, "--simulate", "install", f"/tmp/{package.name}").stdout
    assert re.search(r"^Inst python3-bpfcc ", wanted, re.MULTILINE), wanted
    depends = system.run("dpkg-deb", "-f", f"/tmp/{package.name}", "Depends").stdout.strip()
    system.run(*install, "satisfy", depends)  # what these leave is theirs
    before = system.files()

    other = system.root / "usr/local/bin/ebpftop"  # as pip leaves one
    other.write_text("#!/bin/sh\nexit 42\n")
    other.chmod(0o755)
    told = system.run(*install, "install", f"/tmp/{package.name}")
    assert "/usr/local/bin/ebpftop is another installation" in told.stdout + told.stderr, told.stderr
    other.unlink()

    _check_files(system)
    _check_count(system)
    _check_exporter(system)
    _check_doctor(system)
    again = system.run(*install, "--reinstall", "install", f"/tmp/{package.name}")
    assert "another installation" not in again.stdout + again.stderr
    system.run("apt-get", "-qq", "purge", "-y", "ebpftop")
    left = sorted(each for each in system.files() - before if not KEPT.match(each))
    assert left == [], left
    assert [each for each in before - system.files() if not KEPT.match(each)] == []
    print("purged: nothing is left", flush=True)


def _check_exporter(system: System) -> None:
    """It serves what its file says."""
    words = ("ebpftop", "exporter", "--config", "/etc/ebpftop/exporter.toml", "--listen", "127.0.0.1:0")
    with subprocess.Popen(system.command(*words), stderr=subprocess.PIPE, text=True) as one:
        try:
            assert one.stderr is not None
            found = re.search(r"http://\S+/metrics", one.stderr.readline())
            assert found, "it does not serve"
            eventually(lambda: len(_up(found[0])) == 3 and all(_up(found[0])), "its probes are attached", 60)
        finally:
            one.terminate()
    assert one.returncode == 0
    print("the exporter serves its file", flush=True)


def _up(url: str) -> list[bool]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    return [float(each) == 1 for each in re.findall(r"^ebpftop_probe_up\{.*\} (\S+)$", text, re.MULTILINE)]


def _check_doctor(system: System) -> None:
    """It has nothing to warn of, but for what the kernel lacks outside too."""
    checks = {each["check"]: each for each in json.loads(system.person("sudo ebpftop doctor --json").stdout)}
    assert checks["installation"]["ok"], checks["installation"]
    assert checks["BCC's owner"]["ok"]
    command = [sys.executable, "-m", "ebpftop", "doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lacking = {each["check"] for each in json.loads(done.stdout) if not each["ok"]} - {"installation"}
    wrong = [each for each in checks.values() if not each["ok"] and each["check"] not in lacking]
    assert wrong == [], wrong
    print(
        f"doctor: {sum(each['ok'] for each in checks.values())} of {len(checks)} checks, as many as the kernel allows",
        flush=True,
    )


def _check_files(system: System) -> None:
    assert system.person("ebpftop --version").stdout.startswith("ebpftop ")
    # neither the environment nor other folders add modules
    system.run("mkdir", "-p", "/tmp/other/msgspec")
    (system.root / "tmp/other/msgspec/__init__.py").write_text("raise SystemExit('the wrong one')\n")
    assert system.run("env", "PYTHONPATH=/tmp/other", "ebpftop", "list", "--json").stdout
    for page in ("ebpftop", "ebpftop-exporter", "ebpftop-tape-cut"):
        assert system.run("man", "-w", page).stdout.strip() == f"/usr/share/man/man1/{page}.1.gz"
    for script in (
        "bash-completion/completions/ebpftop",
        "zsh/vendor-completions/_ebpftop",
        "fish/vendor_completions.d/ebpftop.fish",
    ):
        assert (system.root / "usr/share" / script).is_file(), script
    offered = "source /usr/share/bash-completion/completions/ebpftop; COMP_WORDS=(ebpftop run runql) COMP_CWORD=2"
    line = (
        "compopt() { :; }; " + offered + ' COMP_LINE="ebpftop run runql" COMP_POINT=17; _ebpftop; echo ${COMPREPLY[@]}'
    )
    assert "runqlat" in system.run("bash", "-c", line).stdout
    assert (system.root / "usr/lib/systemd/system/ebpftop-exporter.service").is_file()
    foreign = system.run(
        "find", "/usr/lib/ebpftop", "/etc/ebpftop", "(", "!", "-user", "root", "-o", "-perm", "/022", ")"
    )
    assert foreign.stdout == ""
    print("files, manual, completion: there, and root's", flush=True)


def _check_count(system: System) -> None:
    """Waits for a CPU, by process, as often as the scheduler put that one on a CPU."""
    (system.root / "tmp/work.py").write_text(WORK)
    with subprocess.Popen(
        system.command("python3", "/tmp/work.py"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        traced = subprocess.Popen(
            system.command(
                "su", "-", PERSON, "-c", "sudo ebpftop run runqlat -p comm=sleeper --format json --duration 8"
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert traced.stdout is not None
        lines = [traced.stdout.readline()]  # it is attached
        worker.stdin.write("\n")
        worker.stdin.flush()
        slices = int(worker.stdout.readline())
        out, err = traced.communicate()
        worker.stdin.write("\n")
    assert traced.returncode == 0, err
    lines += out.splitlines()
    summary = [json.loads(line) for line in lines if line.strip()]
    counted = sum(
        each["count"]
        for report in summary
        if "summary" not in report
        for each in report["views"]["latency"]["series"]
        if each["labels"].get("comm") == "sleeper"
    )
    assert int(slices * TOLD) <= counted <= slices + 2, f"{slices} times on a CPU, {counted} waits counted"
    print(f"sudo ebpftop run runqlat: {counted} waits of {slices}", flush=True)


# ---------------------------------------------------------------- the tools for wheels


def _check_tools() -> None:
    """uv and pipx install both files, and what they install runs."""
    (wheel,) = (ROOT / "dist").glob("ebpftop-*.whl")
    (source,) = (ROOT / "dist").glob("ebpftop-*.tar.gz")
    with tempfile.TemporaryDirectory(prefix="ebpftop-") as folder:
        tools = Path(folder, "tools")
        subprocess.run([sys.executable, "-m", "venv", tools], check=True)
        subprocess.run([tools / "bin/pip", "install", "-q", "--disable-pip-version-check", *TOOLS], check=True)
        for file in (wheel, source):
            for tool, words in (
                ("uv", ["tool", "install", "--quiet", "--python", "/usr/bin/python3"]),
                ("pipx", ["install", "--quiet", "--python", "/usr/bin/python3"]),
            ):
                home = Path(folder, f"{tool}-{file.suffix.strip('.')}")
                environment = {
                    **os.environ,
                    "HOME": str(home),
                    "PIPX_HOME": f"{home}/pipx",
                    "PIPX_BIN_DIR": f"{home}/bin",
                    "PIPX_MAN_DIR": f"{home}/man",
                    "UV_TOOL_DIR": f"{home}/uv",
                    "UV_TOOL_BIN_DIR": f"{home}/bin",
                }
                subprocess.run([tools / "bin" / tool, *words, file], env=environment, check=True)
                program = home / "bin/ebpftop"
                version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
                assert version.split()[1] in file.name, version
                listed = subprocess.run([program, "list", "--json"], capture_output=True, text=True, check=True).stdout
                assert len(json.loads(listed)) > 50
                print(f"{tool} installs {file.name}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

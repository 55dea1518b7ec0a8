"""`make stacks`: of the distribution's own servers and interpreters, how much of their time is on whole stacks.

Each program works and waits in turn, under `cpu/profile` and `cpu/offcputime`, with the largest copies, as Java's
stacks are deep. A stack is whole that begins where its thread does. Redis and nginx, which would start with the
machine if they were installed, are unpacked into the cache. A program that is missing fails the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ebpftop.base.gaps import STRIPPED

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ebpftop" / "servers"
PACKAGES = ("redis-server", "redis-tools", "nginx", "libjemalloc2", "liblua5.1-0", "liblzf1", "lua-bitop", "lua-cjson")
LEAST = 0.95
MORE = dict.fromkeys(("C at -O2", "python3"), 0.98)  # of these
NEVER_WAIT = ("openssl",)
SECONDS = 8
UNNAMED = f"[{STRIPPED}]"
BEGINNINGS = ("_start", "clone", "__clone", "clone3", "__clone3", "runtime.goexit", "runtime.rt0_go")
GO_TOPS = ("runtime.mstart", "runtime.mcall", "runtime.systemstack", "runtime.morestack")
REDIS, NGINX = 7379, 7380

PYTHON = "import json, time\nwhile True:\n    json.loads(json.dumps([*range(20000)]))\n    time.sleep(0.002)"
PERL = 'while (1) { join ",", sort map { "x$_" } 1 .. 9000; select undef, undef, undef, 0.002 }'
NODE = "setInterval(() => JSON.parse(JSON.stringify([...Array(20000).keys()])), 4)"
JAVA = """class Work { public static void main(String[] none) throws Exception {
    for (;; Thread.sleep(3)) java.util.stream.IntStream.range(0, 50000).boxed().map(n -> "n" + n).sorted().count(); } }
"""
C = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define APART __attribute__((noinline, noclone, noipa))
static volatile long sum;
APART static void leaf(int n) { for (int i = 0; i < n; i++) sum += i; }
APART static int inner(int n) { char a[64]; memset(a, n, 64); leaf(20000); usleep(100); return a[n & 63]; }
APART static int compare(const void *a, const void *b) { return inner(3) + *(int *)a - *(int *)b; }
APART static int outer(int n) { int v[7] = {n, 6, 5, 4, 3, 2, 1}; qsort(v, 7, sizeof(*v), compare); return v[n & 1]; }
int main(void) { for (;;) sum += outer(1); }
"""
GO = """package main

import (
	"sort"
	"time"
)

func work() int {
	words := make(map[int]string)
	for n := 0; n < 3000; n++ {
		words[n*7919%3001] = string(rune('a' + n%26))
	}
	keys := make([]int, 0, len(words))
	for key := range words {
		keys = append(keys, key)
	}
	sort.Ints(keys)
	return len(keys)
}

func main() {
	for worker := 0; worker < 3; worker++ {
		go func() {
			for {
				work()
				time.Sleep(3 * time.Millisecond)
			}
		}()
	}
	select {}
}
"""
OPENSSL = "while :; do openssl speed -seconds 1 sha256; done"
SHELL = "(while :; do head -c 2000 /dev/urandom; sleep 0.02; done) | xz -1 > /dev/null"
NGINX_CONF = f"""daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ }}
http {{ access_log off; gzip on; gzip_min_length 1; gzip_comp_level 9; gzip_types *;
 client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
 server {{ listen 127.0.0.1:{NGINX}; root /usr/share/common-licenses; }} }}
"""
POSTGRES = "SELECT sum(hashtext(n::text)) FROM generate_series(1, 40000) n; SELECT pg_sleep(0.005);\n" * 1000

Run = Callable[[Path], contextlib.AbstractContextManager[int | str]]


class Missing(Exception):
    """Why a program isn't there."""


def unpacked() -> dict[str, str]:
    """The environment in which what the packages hold is found. Raises `Missing`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (CACHE / "usr/bin/redis-server").exists():
        try:
            subprocess.run(["apt-get", "-q", "download", *PACKAGES], cwd=CACHE, check=True, capture_output=True)
            for package in CACHE.glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", package, CACHE], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Missing(f"its package can't be unpacked: {error}") from None
    return os.environ | {"LD_LIBRARY_PATH": f"{CACHE}/usr/lib/x86_64-linux-gnu"}


@contextlib.contextmanager
def process(*command: str | Path, folder: Path | None = None, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Raises `Missing`."""
    if not shutil.which(command[0]):
        raise Missing(f"{command[0]} is not installed")
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    kept = os.environ | environment
    with subprocess.Popen(command, cwd=folder, env=kept, process_group=0, **silent) as made:
        try:
            yield made
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(made.pid, 9)


def program(*command: str) -> Run:
    @contextlib.contextmanager
    def run(folder: Path) -> Iterator[int | str]:
        with process(*command, folder=folder) as made:
            yield made.pid

    return run


def by_name(name: str, *command: str) -> Run:
    """What the command starts."""

    @contextlib.contextmanager
    def run(folder: Path) -> Iterator[int | str]:
        with process(*command, folder=folder):
            yield name

    return run


@contextlib.contextmanager
def asked(port: int, question: bytes) -> Iterator[None]:
    """Ask a server again and again, with pauses."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.003):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as end:
                end.sendall(question)
                while not over.is_set() and end.recv(1 << 16):
                    over.wait(0.003)
                    if port == REDIS:
                        end.sendall(question)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in threads:
            each.join()


def compiled(folder: Path, name: str, text: str, *compiler: str) -> Path:
    """The program. Raises `Missing`."""
    if not shutil.which(compiler[0]):
        raise Missing(f"{compiler[0]} is not installed")
    (folder / name).write_text(text)
    cache = {"GOCACHE": str(CACHE / "go"), "GO111MODULE": "off", "CGO_ENABLED": "0"}
    subprocess.run([*compiler, "-o", "program", name], cwd=folder, env=os.environ | cache, check=True)
    return folder / "program"


@contextlib.contextmanager
def c(folder: Path) -> Iterator[int | str]:
    program = compiled(folder, "work.c", C, "cc", "-O2", "-fomit-frame-pointer")
    with process(program) as made:
        yield made.pid


@contextlib.contextmanager
def go(folder: Path) -> Iterator[int | str]:
    with process(compiled(folder, "work.go", GO, "go", "build")) as made:
        yield made.pid


@contextlib.contextmanager
def java(folder: Path) -> Iterator[int | str]:
    (folder / "Work.java").write_text(JAVA)
    with process("java", "-XX:+PreserveFramePointer", "Work.java", folder=folder) as made:
        yield made.pid


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[int | str]:
    found = unpacked()
    binary = CACHE / "usr/bin/redis-server"
    quiet = ("--save", "", "--port", str(REDIS))
    with process(binary, *quiet, folder=folder, LD_LIBRARY_PATH=found["LD_LIBRARY_PATH"]) as made:
        work = b"EVAL \"local s = 0 for i = 1, 2000 do s = s + redis.call('INCR', 'n') end return s\" 0\r\n"
        with asked(REDIS, work):
            yield made.pid


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[int | str]:
    found = unpacked()
    (folder / "nginx.conf").write_text(NGINX_CONF)
    command = (CACHE / "usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf")
    with process(*command, folder=folder, LD_LIBRARY_PATH=found["LD_LIBRARY_PATH"]) as made:
        question = b"GET /GPL-3 HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n"
        with asked(NGINX, question):
            yield made.pid


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[int | str]:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not homes or not shutil.which("psql"):
        raise Missing("postgresql is not installed")
    folder.chmod(0o777)
    data, user = folder / "data", ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    subprocess.run([*user, homes[-1] / "initdb", "-D", data, "-A", "trust"], cwd="/", check=True, capture_output=True)
    (folder / "work.sql").write_text(POSTGRES)
    options = ("-c", "listen_addresses=", "-k", str(folder))
    psql = f"until psql -h {folder} -U nobody postgres -f work.sql; do sleep 0.1; done"
    with process(*user, homes[-1] / "postgres", "-D", data, *options), process("/bin/sh", "-c", psql, folder=folder):
        yield "postgres"


PROGRAMS: dict[str, Run] = {
    "C at -O2": c,
    "python3": program("/usr/bin/python3", "-c", PYTHON),
    "perl": program("/usr/bin/perl", "-e", PERL),
    "openssl": by_name("openssl", "/bin/sh", "-c", OPENSSL),
    "xz": by_name("xz", "/bin/sh", "-c", SHELL),
    "node": program("node", "--perf-basic-prof", "--interpreted-frames-native-stack", "-e", NODE),
    "java": java,
    "redis-server": redis,
    "nginx": nginx,
    "postgres": postgres,
    "go": go,
}


class Result(NamedTuple):
    """The share of whole stacks, how much was counted, and how most of the others begin."""

    whole: float
    counted: int
    others: str


def measured(probe: str, view: str, which: int | str) -> Result:
    chosen = f"pid={which}" if isinstance(which, int) else f"comm={which}"
    extra = ["-p", "frequency=199"] if probe == "cpu/profile" else []
    command = [
        sys.executable,
        "-m",
        "ebpftop",
        "run",
        probe,
        "-p",
        chosen,
        "-p",
        "copy=64",
        *extra,
        "--duration",
        str(SECONDS),
    ]
    done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=True)
    stacks = [each for line in done.stdout.splitlines() for each in json.loads(line)["views"][view]["stacks"]]
    total = sum(each["count"] for each in stacks)
    others: Counter[str] = Counter()
    for each in stacks:
        if not is_whole(each["frames"]):
            others[each["frames"][0]["name"] or "(no name)"] += each["count"]
    most = ", ".join(f"{name} {count / total:.1%}" for name, count in others.most_common(2))
    return Result(1 - others.total() / max(1, total), total, most)


def is_whole(frames: Sequence[dict[str, Any]]) -> bool:
    """A program without symbols doesn't name its `_start`, which is what calls the C library's. Go's scheduler and
    collector run on stacks that begin in these functions, which have no caller: its runtime stops there, too.
    """
    names = [frame["name"].removesuffix(".abi0") for frame in frames if frame["side"] != "kernel"]
    if len(names) > 1 and names[1] in GO_TOPS:
        return True
    return bool(names) and (
        names[0] in BEGINNINGS or (names[0] == UNNAMED and len(names) > 1 and names[1].startswith("__libc_start_main"))
    )


def main(wanted: list[str]) -> int:
    failed = 0
    print(f"{'program':14} {'on CPU':>8} {'off CPU':>8}  what the others begin with")
    for name in wanted or PROGRAMS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                with PROGRAMS[name](Path(folder)) as which:
                    time.sleep(2)
                    found = [measured("cpu/profile", "samples", which), measured("cpu/offcputime", "off_cpu", which)]
            except Missing as missing:
                print(f"{name:14} {'–':>8} {'–':>8}  {missing}")
                failed += 1
                continue
        shares = " ".join(f"{each.whole:8.1%}" if each.counted else f"{'none':>8}" for each in found)
        print(f"{name:14} {shares}  {'; '.join(each.others for each in found if each.others)}", flush=True)
        on_cpu, off_cpu = found
        failed += not on_cpu.counted or (not off_cpu.counted and name not in NEVER_WAIT)
        failed += any(each.counted and each.whole < MORE.get(name, LEAST) for each in found)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

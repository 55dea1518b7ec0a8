"""Java's functions have names once its own `jcmd` has it write them down.

Debian's JDK has 300 MB and a compiler, so `.ci/setup test` doesn't install it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ebpftop.base.gaps import NO_MAP, explained
from tests.support.tracing import any_kernel, counted, trace

pytestmark = [
    pytest.mark.bpf,
    any_kernel,
    pytest.mark.skipif(not (shutil.which("jcmd") and shutil.which("javac")), reason="no JDK is installed"),
]

PROGRAM = """class Work {
    static long sum;
    static void spin(int n) { for (int i = 0; i < n; i++) sum += i * (sum | 1); }
    public static void main(String[] none) { for (;;) spin(3000000); }
}
"""


def test_jcmd_gives_what_was_compiled_its_names(tmp_path: Path) -> None:
    (tmp_path / "Work.java").write_text(PROGRAM)
    answering = [
        "env",
        "--default-signal=QUIT",
    ]  # by which jcmd reaches it; shells have those in the background ignore it
    command = [*answering, "java", "-XX:+PreserveFramePointer", "-XX:-UsePerfData", "Work.java"]
    with subprocess.Popen(command, cwd=tmp_path) as java:
        perf_map = Path(f"/tmp/perf-{java.pid}.map")
        try:
            with trace("cpu/profile", frequency=199, pid=java.pid) as traced:

                def seen(*names: str) -> bool:
                    return counted(traced.stacks("samples", pid=java.pid), *names) > 100

                traced.until(lambda: seen(NO_MAP), "compiled code without a name")
                assert "`jcmd PID Compiler.perfmap`" in explained(NO_MAP)
                subprocess.run(["jcmd", str(java.pid), "Compiler.perfmap"], check=True, stdout=subprocess.DEVNULL)
                traced.until(lambda: seen("void Work.spin(int)"), "the function has its name")
        finally:
            java.kill()
            perf_map.unlink(missing_ok=True)

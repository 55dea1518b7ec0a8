"""Files that a probe's folder names are opened with the rights of who started the program, not with root's."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import ebpftop as package
from tests.support.bare_pty import bare_pty
from tests.support.command import COMMAND, Done, complaint, ebpftop
from tests.support.dashboard import load
from tests.support.probes import HEAD, SOURCE, VARIANT, VIEW, write_probe
from tests.support.processes import eventually
from tests.support.shell import PROGRAM, framed, line, shell

pytestmark = pytest.mark.bpf

NOBODY = {"SUDO_UID": "65534", "SUDO_GID": "65534"}
DEMO = Path(package.__file__).parent / "demo.tape"
SECRET = "kept_from_everybody"  # also an identifier, so that a compiler quotes it


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that only root can read, in a folder that only root can search."""
    (tmp_path / "roots").mkdir(0o700)
    file = tmp_path / "roots" / "secret"
    file.write_text(f"{SECRET} is a line;\n" * 40)
    file.chmod(0o600)
    return file


def run(public: Path, *options: str) -> Done:
    return ebpftop("run", "cpu/calls", "--probes", public, "--duration", "0.3", *options, environment=NOBODY)


def probe(public: Path, in_front: str, source: str = SOURCE) -> Path:
    """A probe that everybody can read, with these lines in front of its C."""
    return write_probe(public, source=f"{in_front}\n{source}")


NAMING = {
    "include": '#include "{path}"',
    "include of the system's": "#include <{path}>",
    "include_next": '#include_next "{path}"',
    "import": '#import "{path}"',
    "embed": 'static const char data[] = {{\n#embed "{path}"\n}};',
    "computed": '#define NAME "{path}"\n#include NAME',
    "through /proc": '#include "/proc/self/root{path}"',
    "through the working directory": '#include "/proc/self/cwd/../../../../../../../../..{path}"',
    "relative": '#include "../../../../../../../../../../../..{path}"',
    "relative to another header": '#include "linux/../../../../../../../../../../../../../..{path}"',
    "assembler": 'asm(".section .rodata\\n.incbin \\"{path}\\"\\n");',
    "assembler's include": 'asm(".include \\"{path}\\"\\n");',
    "pragma": '#pragma clang __debug parser_crash_off\n#pragma include_alias("x.h", "{path}")\n#include "x.h"',
    "dependency": '#pragma GCC dependency "{path}"\n#include "{path}"',
}


@pytest.mark.parametrize("naming", NAMING.values(), ids=NAMING)
def test_the_compiler_opens_no_file_of_roots(public: Path, secret: Path, naming: str) -> None:
    probe(public, naming.format(path=secret))
    done = run(public)
    assert SECRET not in done.stdout + done.stderr
    assert done.returncode == 1
    assert "did not compile" in done.stderr


@pytest.mark.parametrize(
    "file", ["/etc/shadow", "/proc/1/environ", "/proc/self/environ", "/proc/self/maps", "/etc/passwd"]
)
def test_nothing_exists_for_the_compiler_but_what_was_written_for_it(public: Path, file: str) -> None:
    probe(public, f'#if __has_include("{file}")\n#error it is there\n#endif\n#include "{file}"')
    done = run(public)
    assert "error: it is there" not in done.stderr
    assert f"'{file}' file not found" in done.stderr


def test_the_lines_of_a_file_that_a_line_marker_names_are_not_read(public: Path, secret: Path) -> None:
    """LLVM puts the lines of the files that its line table names into BTF, and the verifier quotes them."""
    rejected = SOURCE.replace("if (!count) {", "if (!tgid) {")
    assert rejected != SOURCE
    body = rejected.replace("int on_enter", f'# 1 "{secret}"\nint on_enter')
    probe(public, f'#line 1 "{secret}"', body)
    done = run(public)
    assert SECRET not in done.stdout + done.stderr
    assert "rejected by the verifier" in done.stderr


@pytest.mark.parametrize("name", ["probe.toml", "probe.bpf.c", "README.md"])
@pytest.mark.parametrize("command", ["run", "show", "list", "check"])
def test_a_link_in_the_folder_leads_to_no_file_of_roots(public: Path, secret: Path, command: str, name: str) -> None:
    folder = write_probe(public)
    whole = {"probe.toml": HEAD + VARIANT + VIEW, "probe.bpf.c": SOURCE, "README.md": "# Calls\n"}
    secret.write_text(f"{whole[name]}\n// {SECRET}\n# {SECRET}\n")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    options = {
        "run": ("run", "cpu/calls", "--probes", public, "--duration", "0.3"),
        "show": ("show", "cpu/calls", "--probes", public),
        "list": ("list", "--probes", public),
        "check": ("check", folder),
    }
    done = ebpftop(*options[command], environment=NOBODY)
    assert SECRET not in done.stdout + done.stderr
    assert f"{folder / name}: Permission denied" in done.stderr
    assert done.returncode != 0


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_file_holds_nothing_up(public: Path, kind: str) -> None:
    folder = write_probe(public, source=f'#include "mine.h"\n{SOURCE}')
    header = folder / "mine.h"
    if kind == "fifo":
        os.mkfifo(header, 0o666)
    elif kind == "device":
        header.symlink_to("/dev/zero")
    else:
        header.mkdir()
    done = run(public)
    assert done.returncode in (1, 2)
    assert "mine.h" in done.stderr


@pytest.mark.parametrize("named", ["/dev/zero", "/dev/tty", "/dev/stdin", "{fifo}"])
def test_a_compiler_never_waits_for_what_it_includes(public: Path, named: str) -> None:
    os.mkfifo(public / "fifo", 0o666)
    path = named.format(fifo=public / "fifo")
    probe(public, f'#include "{path}"')
    done = run(public)
    assert done.returncode == 1
    assert f"'{path}' file not found" in done.stderr


def test_a_manifest_passes_the_compiler_no_options(public: Path, secret: Path) -> None:
    write_probe(public, variant=VARIANT.replace('"raw"', f'"x -include {secret}"'))
    done = run(public)
    assert done.returncode == 2
    assert "name: expected an identifier" in done.stderr
    assert SECRET not in done.stderr


def test_a_parameter_passes_the_compiler_no_options(public: Path, secret: Path) -> None:
    write_probe(public, params='[params.only]\ntype = "string"\nhelp = "x"\n')
    done = run(public, "-p", f"only=x -include {secret} -I/ @{secret}")
    assert (done.returncode, SECRET in done.stdout + done.stderr) == (0, False)


def test_a_save_while_the_dashboard_runs_shows_no_file_of_roots(public: Path, secret: Path) -> None:
    folder = write_probe(public)
    with shell(120, 40) as term:
        line(term, framed(f"env SUDO_UID=65534 SUDO_GID=65534 {PROGRAM} --probes {public}"))
        term.wait_for("Catalog", "─ ○ ")
        load(term, "cpu/calls")
        term.wait_for("● calls")
        (folder / "probe.bpf.c").write_text(f'#include "{secret}"\n{SOURCE}')
        term.wait_for("cpu/calls: did not compile")
        term.keys("v")
        assert SECRET not in term.wait_for("cpu/calls · did not compile", "file not found")
        term.keys("q")
        term.wait_for("ended: 0")


EDITOR = """#!/bin/sh
until [ "$(nice)" -eq {niceness} ]; do sleep 0.1; done
grep -E '^(Uid|CapPrm|CapEff|CapInh|CapAmb|NoNewPrivs):' /proc/self/status > {folder}/status.part
mv {folder}/status.part {folder}/status
"""


def test_an_editor_has_given_up_what_the_dashboard_has(public: Path) -> None:
    public.chmod(0o777)
    (public / "vi").write_text(EDITOR.format(folder=public, niceness=os.nice(0)))
    (public / "vi").chmod(0o755)
    write_probe(public, source=SOURCE.replace("return 0;", "return zero", 1))
    with shell(120, 40) as term:
        line(term, framed(f"env SUDO_UID=65534 SUDO_GID=65534 EDITOR={public}/vi {PROGRAM} --probes {public}"))
        term.wait_for("Catalog", "─ ○ ")
        load(term, "cpu/calls")
        term.wait_for("did not compile", "e edit")
        term.keys("e")
        eventually((public / "status").exists, "the editor runs")
        term.wait_for("e edit")
        term.keys("q")
    status = dict(row.split(":\t", 1) for row in (public / "status").read_text().splitlines())
    assert set(status.pop("Uid").split()) == {"65534"}
    assert {name: value.strip("0") for name, value in status.items()} == {
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), ""),
        "NoNewPrivs": "1",
    }


def test_a_folders_own_header_is_compiled_with_it_and_shown(public: Path) -> None:
    folder = write_probe(public, source=f'#include "mine.h"\n{SOURCE.replace("count, 1", "count, STEP")}')
    assert run(public).returncode == 1
    (folder / "mine.h").write_text("#define STEP 1\n")
    assert run(public).returncode == 0
    shown = ebpftop("show", "cpu/calls", "--probes", public, environment=NOBODY)
    assert f"{folder}/mine.h\n\n#define STEP 1\n" in shown.stdout


def test_root_itself_reads_its_own_folder(tmp_path: Path) -> None:
    write_probe(tmp_path)
    done = ebpftop("run", "cpu/calls", "--probes", tmp_path, "--duration", "0.3")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_log_and_its_source_are_opened_with_the_rights_of_who_asked(secret: Path) -> None:
    assert complaint(ebpftop("explain", secret, environment=NOBODY), 1) == f"{secret}: Permission denied"
    done = ebpftop("explain", "/dev/null", "--source", secret, environment=NOBODY)
    assert complaint(done, 1) == f"{secret}: Permission denied"


@pytest.mark.parametrize(
    "words", [["compare", str(DEMO)], ["triage"], ["tape", "info"], ["tape", "export", "--format", "csv"]], ids=" ".join
)
def test_a_tape_is_opened_with_the_rights_of_who_asked(secret: Path, words: list[str]) -> None:
    done = ebpftop(*words, secret, environment=NOBODY)
    assert complaint(done, 1) == f"{secret}: Permission denied"


def test_a_tape_is_replayed_with_the_rights_of_who_asked(secret: Path) -> None:
    under_sudo = [f"{name}={value}" for name, value in NOBODY.items()]
    with bare_pty(["env", *under_sudo, *COMMAND, "replay", str(secret)], size=(30, 400)) as term:
        term.wait_for(f"{secret}: Permission denied")


def test_a_new_probe_is_written_by_who_asked(public: Path, secret: Path) -> None:
    done = ebpftop("new", secret.parent / "mine", environment=NOBODY)
    assert "Permission denied" in complaint(done, 1)
    public.chmod(0o777)
    assert ebpftop("new", public / "mine", environment=NOBODY).returncode == 0
    assert {path.stat().st_uid for path in (public / "mine").rglob("*")} == {65534}
    assert not re.search("Traceback", done.stderr)


def test_a_report_is_written_by_who_asked(public: Path, secret: Path) -> None:
    assert "Permission denied" in complaint(ebpftop("report", secret, "-o", "-", environment=NOBODY), 1)
    done = ebpftop("report", DEMO, "-o", secret.parent / "mine.html", environment=NOBODY)
    assert "Permission denied" in complaint(done, 1)
    public.chmod(0o777)
    assert ebpftop("report", DEMO, "-o", public / "mine.html", environment=NOBODY).returncode == 0
    assert (public / "mine.html").stat().st_uid == 65534

"""The server for agents, driven by raw JSON-RPC as a client writes it; and by one that is hostile."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from ebpftop.base.jsonrpc import BUSY, LONGEST, METHOD, MOST, PARAMS, PARSE, REQUEST
from ebpftop.commands.mcp import LONGEST as LONGEST_CALL
from ebpftop.commands.mcp import OUTPUT, VERSIONS
from tests.support.command import AS_NOBODY, CHECKOUT, COMMAND, complaint, ebpftop
from tests.support.probes import SOURCE, write_probe
from tests.support.processes import SLOWER, alive, eventually
from tests.support.schemas import check

TAPE = CHECKOUT / "tests" / "incidents" / "missing-file.tape"
HELLO = {"protocolVersion": VERSIONS[0], "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def asked(number: object, method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()


def served(*lines: bytes, before: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What it answers, an object a line; it ends with its input, and says nothing else."""
    done = subprocess.run(
        [*before, *COMMAND, "mcp"],
        input=b"\n".join(lines) + b"\n",
        capture_output=True,
        timeout=120 * SLOWER,
        check=False,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def called(tool: str, *, before: Sequence[str] = (), **arguments: Any) -> dict[str, Any]:
    (answer,) = served(asked(1, "tools/call", name=tool, arguments=arguments), before=before)
    result: dict[str, Any] = answer["result"]
    return result


def refused(tool: str, **arguments: Any) -> str:
    (answer,) = served(asked(1, "tools/call", name=tool, arguments=arguments))
    assert answer["error"]["code"] == PARAMS
    return str(answer["error"]["message"])


def test_a_session_from_its_greeting_to_its_tools() -> None:
    greeted, pong, listed = served(
        asked(0, "initialize", **HELLO),
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        asked("two", "ping"),
        asked(3, "tools/list"),
    )
    assert (greeted["id"], greeted["result"]["protocolVersion"]) == (0, VERSIONS[0])
    assert greeted["result"]["serverInfo"]["name"] == "ebpftop"
    assert pong == {"jsonrpc": "2.0", "id": "two", "result": {}}
    tools = {each["name"]: each for each in listed["result"]["tools"]}
    assert set(tools) == {"triage", "list", "show", "run", "explain"}
    for tool in tools.values():
        assert tool["annotations"]["readOnlyHint"] is True
        assert tool["inputSchema"]["additionalProperties"] is False


@pytest.mark.parametrize(("wanted", "given"), [*((each, each) for each in VERSIONS), ("1999-01-01", VERSIONS[0])])
def test_both_sides_agree_on_a_version(wanted: str, given: str) -> None:
    (answer,) = served(asked(1, "initialize", **{**HELLO, "protocolVersion": wanted}))
    assert answer["result"]["protocolVersion"] == given


def test_triage_of_a_tape() -> None:
    result = called("triage", tape=str(TAPE))
    assert result["isError"] is False
    said = json.loads(result["content"][0]["text"])
    check("triage", said)
    assert said["findings"][0]["evidence"][0]["who"]["name"] == "plugins"


def test_a_tape_that_is_missing_is_an_error() -> None:
    result = called("triage", tape="/nowhere/missing.tape")
    assert (result["isError"], "No such file" in result["content"][0]["text"]) == (True, True)


def test_list_show_and_explain_say_what_the_commands_say() -> None:
    assert "cpu/runqlat\t" in called("list")["content"][0]["text"]
    assert called("show", probe="runqlat")["content"][0]["text"] == ebpftop("show", "runqlat").stdout
    (failure,) = called("explain", log="R0 invalid mem access 'map_value_or_null'")["content"][0]["text"].splitlines()
    check("explain", json.loads(failure))
    assert json.loads(failure)["kind"] == "null_deref"


def test_an_answer_is_bounded(public: Path) -> None:
    write_probe(public / "probes", "mine/long", source=SOURCE + "// more\n" * (OUTPUT // 4))
    (public / "ebpftop").mkdir()
    (public / "ebpftop/config.toml").write_text(f'folders = ["{public}/probes"]\n')
    text = called("show", before=["env", f"XDG_CONFIG_HOME={public}"], probe="mine/long")["content"][0]["text"]
    assert OUTPUT < len(text.encode()) <= OUTPUT + 100
    assert text.endswith(f"and an answer holds at most {OUTPUT}")


def test_what_fails_is_told_as_the_command_tells_it() -> None:
    result = called("show", probe="runqlat-of-nobody")
    assert result["isError"] is True
    assert result["content"][0]["text"].startswith("ebpftop: unknown probe 'runqlat-of-nobody'")
    result = called("triage", tape="no.tape")
    assert result["isError"] is True
    assert "No such file" in result["content"][0]["text"]


@pytest.mark.root
def test_who_may_not_trace_is_told_so_and_never_asked_for_a_password() -> None:
    result = called("run", before=AS_NOBODY, probe="runqlat", seconds=1)
    assert result["isError"] is True
    assert "sudo" in result["content"][0]["text"]


@pytest.mark.root
def test_a_tape_is_opened_with_the_rights_of_who_typed_sudo(public: Path) -> None:
    secret = public / "a.tape"
    secret.write_text("of root's")
    secret.chmod(0o600)
    result = called("triage", before=["env", "SUDO_UID=65534", "SUDO_GID=65534"], tape=str(secret))
    assert (result["isError"], result["content"][0]["text"]) == (True, f"ebpftop: {secret}: Permission denied")


@pytest.mark.bpf
def test_run_traces_within_its_seconds() -> None:
    result = called("run", probe="pidpersec", params={"comm": "nobody-at-all"}, seconds=1)
    assert result["isError"] is False, result
    for line in result["content"][0]["text"].splitlines():
        check("run", json.loads(line))
    assert json.loads(line)["views"]["created"]["rows"] == []


class Agent:
    """One that talks to it line by line."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT, bufsize=0
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()

    def send(self, *lines: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n".join(lines) + b"\n")

    def told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def running(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def trace_for_a_minute(number: object) -> bytes:
    return asked(number, "tools/call", name="run", arguments={"probe": "pidpersec", "seconds": LONGEST_CALL})


def cancelled(number: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}).encode()


@pytest.mark.bpf
def test_while_it_traces_it_answers_and_a_cancelled_trace_ends_without_an_answer() -> None:
    with Agent() as agent:
        agent.send(trace_for_a_minute(1), trace_for_a_minute("1"))
        eventually(lambda: len(agent.running()) >= 3, "it traces")  # the command, and its collector
        agent.send(asked(2, "ping"), cancelled("1"), cancelled(7), cancelled(None), cancelled([1]))
        assert agent.told() == {"jsonrpc": "2.0", "id": 2, "result": {}}
        tracing = agent.running()
        agent.send(cancelled(1))
        eventually(lambda: not any(map(alive, tracing)), "the trace has ended")
        agent.send(asked(3, "tools/call", name="show", arguments={"probe": "runqlat"}))
        assert agent.told()["id"] == 3


@pytest.mark.bpf
def test_too_many_calls_at_once_are_refused_and_its_end_ends_them() -> None:
    with Agent() as agent:
        agent.send(*map(trace_for_a_minute, range(MOST + 2)))
        assert agent.told() == {
            "jsonrpc": "2.0",
            "id": MOST + 1,
            "error": {"code": BUSY, "message": f"{MOST} requests wait already"},
        }
        eventually(lambda: len(agent.running()) >= 3, "it traces")
        tracing = agent.running()
        agent.process.terminate()
        assert agent.process.wait(30 * SLOWER) == 0
        assert not any(map(alive, tracing))


def test_it_ends_though_nobody_reads_its_answers() -> None:
    with Agent() as agent:
        agent.send(*(asked(number, "tools/call", name="show", arguments={"probe": "profile"}) for number in range(9)))
        eventually(lambda: waiting(agent) > FULL, "the pipe is full")
        agent.process.terminate()
        assert agent.process.wait(30 * SLOWER) == 0


FULL = (1 << 16) - 8192  # bytes: of a pipe's 16 pages two may not be filled


def waiting(agent: Agent) -> int:
    """Bytes of its answers that nobody has read."""
    assert agent.process.stdout is not None
    return struct.unpack("i", fcntl.ioctl(agent.process.stdout, termios.FIONREAD, b"\0" * 4))[0]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("run", {"probe": "runqlat", "seconds": 3600}, "seconds must be a number from 1 to 60"),
        ("run", {"probe": "runqlat", "seconds": True}, "seconds must be a number from 1 to 60"),
        ("run", {"probe": "--probes=/tmp/mine"}, "probe must be the name of a probe"),
        ("run", {"probe": "../../tmp/mine"}, "probe must be the name of a probe"),
        ("run", {"probe": ["runqlat"]}, "probe must be the name of a probe"),
        ("run", {}, "probe must be the name of a probe"),
        ("run", {"probe": "runqlat", "params": {"a b": "c"}}, "params must map names to strings"),
        ("run", {"probe": "runqlat", "params": {"comm": "x\ny"}}, "params must map names to strings"),
        ("run", {"probe": "runqlat", "params": {"comm": "\ud800"}}, "params must map names to strings"),
        ("run", {"probe": "runqlat", "params": ["pid=1"]}, "params must be an object"),
        ("run", {"probe": "runqlat", "budget": 0}, "run takes no argument 'budget'"),
        ("run", {"probe": "runqlat", "probes": "/tmp/mine"}, "run takes no argument 'probes'"),
        ("explain", {"log": "x", "source": "/etc/shadow"}, "explain takes no argument 'source'"),
        ("explain", {"log": 7}, "log must be a string"),
        ("triage", {"tape": "a\0b"}, "tape must be a path"),
        ("triage", {"playbook": "--help"}, "playbook must be the name of a playbook"),
        ("list", {"json": True}, "list takes no argument 'json'"),
        ("record", {"output": "/etc/passwd"}, "unknown tool 'record'"),
    ],
)
def test_no_argument_becomes_an_option_or_a_limit(tool: str, arguments: dict[str, Any], said: str) -> None:
    assert said in refused(tool, **arguments)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"not json", PARSE),
        (b"\xff\xfe\x00", PARSE),
        (b"[" * 100_000, PARSE),
        (b'{"a":' + b"9" * 5000 + b"}", PARSE),
        (b"[]", REQUEST),
        (b"7", REQUEST),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', REQUEST),
        (b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["run"]}}', PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run","arguments":[]}}', PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"method":"resources/read"}', METHOD),
        (b'{"jsonrpc":"2.0","id":1,"method":"\\u001b[31m"}', METHOD),
        (b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * LONGEST + b'"}', REQUEST),
    ],
    ids=lambda value: repr(value[:48]) if isinstance(value, bytes) else str(value),
)
def test_a_mistake_is_one_answer_and_what_follows_is_served(line: bytes, code: int) -> None:
    wrong, right = served(line, asked(2, "ping"))
    assert wrong["error"]["code"] == code
    assert len(wrong["error"]["message"]) < 300
    assert wrong["error"]["message"].isprintable()
    assert right == {"jsonrpc": "2.0", "id": 2, "result": {}}


def test_what_expects_no_answer_gets_none() -> None:
    lines = [b"", b'{"jsonrpc":"2.0","method":"nothing/known"}', b'{"jsonrpc":"2.0","id":9,"result":{}}']
    assert served(*lines) == []


def test_it_serves_pipes_and_only_within_a_budget() -> None:
    assert "--budget" in complaint(ebpftop("mcp", "--budget", "0"), 2)


def test_the_end_of_input_is_the_end(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "ebpftop", "mcp"], stdin=subprocess.DEVNULL, check=False, cwd=CHECKOUT)
    assert done.returncode == 0

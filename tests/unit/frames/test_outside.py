"""Marks from outside, among hostile clients and hostile folders."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ebpftop.frames import outside
from ebpftop.frames.marks import LONGEST, marked
from ebpftop.frames.outside import OPEN, PREFIX, RATE, TAKEN, Mailbox


@pytest.fixture
def folder(public: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for this user's sockets, and no other."""
    place = public / "run"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    monkeypatch.setattr(outside, "folders", lambda: [place])
    return place


def sockets(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}*"))


def connected(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.settimeout(20)
    peer.connect(f"{path}")
    return peer


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def test_every_instance_is_reached_and_leaves_nothing(folder: Path) -> None:
    taken: list[tuple[str, str]] = []
    with Mailbox(lambda text: taken.append(("a", text))), Mailbox(lambda text: taken.append(("b", text))):
        assert [oct(path.stat().st_mode & 0o7777) for path in sockets(folder)] == ["0o600", "0o600"]
        assert await asyncio.to_thread(outside.send, "deploy 42") == 2
    assert sorted(taken) == [("a", "deploy 42"), ("b", "deploy 42")]
    assert sockets(folder) == []
    assert outside.send("later") == 0


async def test_texts_become_one_inert_line() -> None:
    mark = marked("\x1b[31mdeploy\n42\u202e", "outside")
    assert mark.text == "\\x1b[31mdeploy 42\\u202e"
    assert len(marked("\x1b" * LONGEST, "outside").text) == LONGEST


async def test_what_is_empty_or_too_long_is_answered_and_not_taken(folder: Path) -> None:
    taken: list[str] = []

    def ask(packet: bytes) -> bytes:
        with connected(sockets(folder)[0]) as peer:
            peer.send(packet)
            return peer.recv(100)

    with Mailbox(taken.append):
        assert await asyncio.to_thread(ask, b"x" * LONGEST) == TAKEN
        assert await asyncio.to_thread(ask, b"x" * (LONGEST + 1)) == b"it has more than 4,096 bytes"
        assert await asyncio.to_thread(ask, b"y" * 100_000) == b"it has more than 4,096 bytes"
        assert await asyncio.to_thread(ask, b" \n") == b"it is empty"
        assert await asyncio.to_thread(ask, b"\xff") == TAKEN
    assert taken == ["x" * LONGEST, "\ufffd"]


async def test_a_thousand_connections_that_send_nothing_keep_nobody_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest ones make room; the process never holds more than its share of descriptors."""
    monkeypatch.setattr(outside, "RATE", 1_000_000)
    taken: list[str] = []
    with Mailbox(taken.append) as mailbox:
        idle = await asyncio.to_thread(lambda: [_patient(sockets(folder)[0]) for _ in range(1000)])
        await until(lambda: len(mailbox._peers) == OPEN)
        assert await asyncio.to_thread(outside.send, "through") == 1
        assert len(mailbox._peers) <= OPEN
        for each in idle:
            each.close()
    assert taken == ["through"]


def _patient(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    outside._connect(peer, str(path), float("inf"))
    return peer


async def test_a_flood_waits_and_the_loop_goes_on(folder: Path) -> None:
    """No more than `RATE` a second are taken; here the second doesn't end by itself."""
    loop = asyncio.get_running_loop()
    taken: list[str] = []
    mailbox = Mailbox(taken.append)
    mailbox._second = loop.time() + 1_000_000
    with mailbox:
        path = sockets(folder)[0]
        flood = await asyncio.to_thread(lambda: [_sent(path, number) for number in range(RATE)])
        await until(lambda: len(taken) == RATE)
        late = _sent(path, RATE)
        await until(lambda: mailbox._resuming is not None)
        assert len(taken) == RATE
        mailbox._second = 0.0  # a second has passed
        mailbox._resuming.cancel()
        mailbox._listen()
        await until(lambda: len(taken) == RATE + 1)
        for each in (*flood, late):
            each.close()


def _sent(path: Path, number: int) -> socket.socket:
    """A client that sends and never reads."""
    peer = _patient(path)
    peer.setblocking(True)
    peer.send(f"{number}".encode())
    return peer


@pytest.mark.root
async def test_other_users_are_sent_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though everything lies open to them."""
    taken: list[str] = []
    with Mailbox(taken.append):
        (path,) = sockets(folder)
        for each in (path, folder):
            each.chmod(0o777)
        pid = os.fork()
        if not pid:
            os.setresuid(65534, 65534, 65534)
            try:
                with connected(path) as peer:
                    peer.send(b"from nobody")
                    answer = peer.recv(100)
            except (BrokenPipeError, ConnectionResetError):
                answer = b""
            except OSError:
                answer = b"not reached"
            os._exit(0 if answer == b"" else 1)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert taken == []


async def test_links_and_what_nobody_listens_on_are_passed_over(folder: Path, tmp_path: Path) -> None:
    taken: list[str] = []
    elsewhere = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    elsewhere.bind(str(tmp_path / "elsewhere"))
    elsewhere.listen()
    (folder / f"{PREFIX}link").symlink_to(tmp_path / "elsewhere")
    (folder / f"{PREFIX}file").write_text("")
    killed = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    killed.bind(str(folder / f"{PREFIX}killed"))
    killed.close()
    with Mailbox(taken.append):
        assert await asyncio.to_thread(outside.send, "here") == 1
    elsewhere.setblocking(False)
    with pytest.raises(BlockingIOError):
        elsewhere.accept()
    assert taken == ["here"]
    assert [path.name for path in sockets(folder)] == [f"{PREFIX}file", f"{PREFIX}link"]


@pytest.mark.root
async def test_nothing_is_sent_to_what_another_user_listens_on(folder: Path) -> None:
    """Though the socket is this user's: whoever had it may have given it away."""
    reading, writing = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as given:
        given.bind(str(folder / f"{PREFIX}given"))
        pid = os.fork()
        if not pid:
            os.setresuid(65534, 65534, 65534)
            given.listen()
            os.write(writing, b"listens")
            peer, _ = given.accept()
            os._exit(1 if peer.recv(100) else 0)
        os.read(reading, 7)
        assert await asyncio.to_thread(outside.send, "for this user alone") == 0
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    for each in (reading, writing):
        os.close(each)


async def test_a_listener_that_never_answers_costs_its_patience_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "PATIENCE", 0.1)
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    deaf.bind(str(folder / f"{PREFIX}deaf"))
    deaf.listen()
    assert await asyncio.to_thread(outside.send, "hello?") == 0
    deaf.close()


def test_only_a_folder_of_the_users_alone_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "run"
    place.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(place)

    def used(named: object) -> bool:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(named))
        return Path(str(named)) in outside.folders()

    assert used(place)
    assert not used(link)
    assert not used(tmp_path / "missing")
    assert not used(os.path.relpath(place))
    place.chmod(0o750)
    assert not used(place)
    if os.geteuid() == 0:
        place.chmod(0o700)
        os.chown(place, 65534, 65534)
        assert not used(place)

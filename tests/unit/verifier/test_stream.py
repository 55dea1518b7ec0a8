import io
import re

from ebpftop.verifier.stream import CHUNK, HEAD, TAIL, Excerpt, excerpts

FIRST = "0: R1=ctx() R10=fp0\n0: (b7) r0 = 1\n1: (95) exit\nR0 !read_ok\n"
COUNTED = "processed 2 insns (limit 1000000) max_states_per_insn 0\n"


class Counting(io.RawIOBase):
    """A pipe: reads are counted, nothing can be read twice, and each gives less than was asked for."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces[::-1]
        self.given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._pieces.pop() if self._pieces else b""
        assert 0 <= len(piece) <= size
        self.given += len(piece)
        return piece


def split(text: str | bytes) -> list[Excerpt]:
    return list(excerpts(io.BytesIO(text.encode() if isinstance(text, str) else text)))


def joined(found: list[Excerpt]) -> list[str]:
    return ["\n".join(excerpt.lines) for excerpt in found]


def test_one_log_is_one_excerpt() -> None:
    (only,) = split(FIRST + COUNTED)
    assert only == Excerpt((FIRST + COUNTED).rstrip("\n").split("\n"), None, ended=True)


def test_nothing_is_no_excerpt() -> None:
    assert split("") == []


def test_each_log_that_ends_is_an_excerpt() -> None:
    found = split((FIRST + COUNTED) * 3 + "what a loader says\n")
    assert [excerpt.ended for excerpt in found] == [True, True, True, False]
    assert joined(found)[:3] == [(FIRST + COUNTED).rstrip("\n")] * 3


def test_a_log_may_end_in_the_line_of_its_complaint() -> None:
    found = split((FIRST.rstrip("\n") + COUNTED) * 2)
    assert [excerpt.ended for excerpt in found] == [True, True]
    assert joined(found) == [(FIRST.rstrip("\n") + COUNTED).rstrip("\n")] * 2


def test_a_log_that_does_not_end_ends_where_the_next_begins() -> None:
    libbpf = (
        "libbpf: prog 'g': BPF program load failed: Permission denied\nlibbpf: prog 'g': -- BEGIN PROG LOAD LOG --\n"
    )
    for begin in ("", libbpf, "program g: load program: permission denied:\n"):
        found = split(FIRST + begin + FIRST + COUNTED)
        assert [excerpt.ended for excerpt in found] == [False, True]
        assert joined(found) == [FIRST.rstrip("\n"), (begin + FIRST + COUNTED).rstrip("\n")]


def test_what_a_loader_says_first_belongs_to_the_log() -> None:
    text = f"libbpf: prog 'f': -- BEGIN PROG LOAD LOG --\n{FIRST}{COUNTED}"
    assert joined(split(text)) == [text.rstrip("\n")]


def test_a_loop_back_to_the_first_instruction_begins_no_log() -> None:
    text = FIRST + "0: R0=1 R1=ctx() R10=fp0\n" + "10: R1=ctx() R10=fp0\n" + COUNTED
    assert len(split(text)) == 1


def test_of_a_long_log_the_beginning_and_the_end_are_kept() -> None:
    step = "%07d: (0f) r1 += r2                   ; R1=scalar() R2=scalar()\n"
    text = FIRST[:38] + "".join(step % number for number in range(200_000)) + "R1 !read_ok\n" + COUNTED
    (only,) = split(text)
    assert only.gap is not None
    assert only.lines[0] == "0: R1=ctx() R10=fp0"
    assert only.lines[only.gap - 1].startswith("00")
    assert only.lines[only.gap].startswith("01")
    assert only.lines[-2:] == ["R1 !read_ok", COUNTED.rstrip("\n")]
    numbers = [int(match[0]) for line in only.lines[only.gap :] if (match := re.match(r"\d{7}", line))]
    assert numbers == list(range(numbers[0], 200_000))  # whole lines, none of them missing
    size = sum(map(len, only.lines))
    assert HEAD + TAIL * 0.9 < size < HEAD + TAIL + 2 * CHUNK


def test_a_pipe_is_read_once_and_as_it_comes() -> None:
    text = ((FIRST + COUNTED) * 2_000).encode()
    stream = Counting([text[at : at + 997] for at in range(0, len(text), 997)])
    assert len(list(excerpts(stream))) == 2_000
    assert stream.given == len(text)


def test_memory_is_bounded_however_long_the_log() -> None:
    """256 MiB are offered, never more than the limit kept."""
    piece = b"".join(b"%d: (0f) r1 += r2\n" % number for number in range(50_000))[:CHUNK]
    (only,) = excerpts(Counting([piece] * 256))
    assert sum(map(len, only.lines)) < HEAD + TAIL + 2 * CHUNK


def test_a_line_without_end_is_cut() -> None:
    (only,) = excerpts(Counting([b"x" * CHUNK] * 64))
    assert sum(map(len, only.lines)) <= HEAD + TAIL + 4 * CHUNK


def test_binary_files_are_text_of_a_kind() -> None:
    (only,) = split(bytes(range(256)) * 100)
    assert only.gap is None
    assert "�" in only.lines[1]


def test_many_beginnings_without_a_log_are_looked_at_once() -> None:
    found = split("program f: load program: operation not permitted\n" * 100_000)
    assert len(found) == 1


def test_what_stands_right_behind_a_log_goes_with_it() -> None:
    (log, _rest) = split(FIRST + COUNTED + "libbpf: failed to load program 'f'\n")
    assert log.after == ("libbpf: failed to load program 'f'",)
    (cut,) = split(FIRST)
    assert cut.after == ()

"""Whole stacks of small programs, frame by frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.base.gaps import ELSEWHERE, NO_TABLES, NOT_IN_MEMORY, NOWHERE, TOO_MUCH, more_than
from ebpftop.unwind.rows import RCX, RIP, RSP
from ebpftop.unwind.stack import DEEPEST
from ebpftop.unwind.tables import Effort
from tests.support.unwinding import MUCH, Picture, build, names, space, taken, unwound

CHAIN = r"""
APART static int inner(int n) { picture(); return n + sum; }
APART static int middle(int n) { int a[7]; memset(a, n, sizeof(a)); sum = a[n & 3]; return inner(n + 1) * a[1]; }
APART static int outer(int n) { return middle(n) + sum; }
int main(int count, char **arguments) { return outer(count) + sum; }
"""
SAVED_RIP = (40 + 8 * 16) // 8  # words: in a `ucontext_t`, its `uc_mcontext.gregs[REG_RIP]`
CALLS = ["picture", "inner", "middle", "outer", "main"]


def checked(picture: Picture, *calls: str) -> list[str]:
    """All names. The stack is whole, begins with these calls, and is what the C library says."""
    found = unwound(picture)
    assert found.ended == ""
    known = names(picture, found.places)
    assert known[: len(calls)] == list(calls)
    callers = [place + 1 for place in found.places[1:]]
    assert callers == picture.callers[1:], "the C library's unwinder disagrees"
    return known


@pytest.mark.parametrize(
    "options",
    [("-pie", "-fPIE"), ("-no-pie",), ("-static",), ("-static-pie",), ("-fno-omit-frame-pointer",), ("-O0",)],
    ids=lambda options: options[0],
)
def test_a_chain_of_calls_however_it_is_linked(tmp_path: Path, options: tuple[str, ...]) -> None:
    checked(taken(build(tmp_path, CHAIN, *options)), *CALLS)


def test_a_thread_begins_in_the_c_library(tmp_path: Path) -> None:
    body = r"""
APART static void *work(void *n) { picture(); return n + sum; }
int main() { pthread_t thread; pthread_create(&thread, 0, work, 0); pthread_join(thread, 0); return sum; }
"""
    known = checked(taken(build(tmp_path, body)), "picture", "work")
    assert len(known) == 4  # and two of the C library's, which need not have a name


@pytest.mark.parametrize("alternate", [False, True], ids=["its own stack", "another stack"])
def test_a_signal_interrupts_what_its_handler_is_seen_in(tmp_path: Path, alternate: bool) -> None:
    """The caller of a handler was not calling: its address is that of the next instruction, maybe the first of all."""
    body = r"""
APART static void handler(int n) { picture(); sum += n; }
extern void faults(void);
asm(".globl faults\n.type faults,@function\nfaults: .cfi_startproc\nud2\nret\n.cfi_endproc\n.size faults,.-faults");
APART static void middle(void) { int a[9]; memset(a, sum, sizeof(a)); faults(); sum = a[sum & 7]; }
int main(int count, char **arguments)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = count > 1 ? SA_ONSTACK : 0};
    stack_t other = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    sigaltstack(&other, 0);
    sigaction(SIGILL, &action, 0);
    middle();
    return sum;
}
"""
    picture = taken(build(tmp_path, body), *["other"] * alternate)
    if not alternate:
        checked_signal(picture)
        return
    found = unwound(picture)
    assert found.ended == ELSEWHERE
    assert names(picture, found.places)[:2] == ["picture", "handler"]


def checked_signal(picture: Picture) -> None:
    found = unwound(picture)
    assert found.ended == ""
    known = names(picture, found.places)
    assert (known[:2], known[3:6]) == (["picture", "handler"], ["faults", "middle", "main"])
    begins = found.places[2] + 1  # of `__restore_rt`: a move of 7 bytes, and a system call of 2
    above = next(  # others are in `callers`, or were left in the part of the frame that nothing is saved to
        at + 1
        for at, word in enumerate(picture.stack)
        if word == begins and picture.stack[at + 1 + SAVED_RIP] == found.places[3]
    )
    registers = [*picture.registers]
    registers[RSP], registers[RIP] = registers[RSP] + 8 * above, begins + 9
    returning = space(picture).unwind(registers, picture.stack[above:], Effort(MUCH), whole=16384)
    assert returning.places[1:] == found.places[3:]
    assert returning.ended == ""
    signal = found.places[3]
    assert [place + (place != signal) for place in found.places[1:]] == picture.callers[1:]


def test_frames_that_move_and_align_the_stack(tmp_path: Path) -> None:
    """`main` of a program that uses vector registers, an array of variable length, and saved registers to restore."""
    body = r"""
typedef int wide __attribute__((vector_size(64)));
APART static void last(volatile void *what) { picture(); sum++; }
APART static int grows(int n) { char *room = alloca(n * 100); memset(room, n, n * 100); last(room); return room[n]; }
APART static int aligned(int n) { volatile wide w = {n}; int kept = grows(n + 2); last(&w); return w[3] + kept; }
APART static int keeps(int a, int b, int c, int d) { int n = aligned(a); return n + a * b * c * d; }
int main(int count, char **arguments) { volatile wide w = {count}; return keeps(w[0], 2, sum, never) + w[1]; }
"""
    checked(taken(build(tmp_path, body)), "picture", "last", "grows", "aligned", "keeps", "main")


def test_code_without_tables_goes_by_its_frame_pointers(tmp_path: Path) -> None:
    bare = ("-fno-asynchronous-unwind-tables", "-fno-unwind-tables")
    kept = taken(build(tmp_path, CHAIN, *bare, "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"))
    found = unwound(kept)
    assert (found.ended, names(kept, found.places)[:5]) == ("", CALLS)
    neither = taken(build(tmp_path, CHAIN, *bare))
    found = unwound(neither)
    assert found.ended in (NO_TABLES, ELSEWHERE)
    assert names(neither, found.places) == ["picture"]


def test_a_frame_pointer_that_belongs_to_another_function_is_none(tmp_path: Path) -> None:
    """Assembler without tables, which leaves rbp as it was, called by a function that keeps other things there."""
    body = r"""
APART void inner(void) { picture(); sum++; }
extern void bare(void *looks_like_a_frame);
asm(".globl bare\n.type bare,@function\nbare: push %rbp\nmov %rdi, %rbp\ncall inner\npop %rbp\nret\n.size bare,.-bare");
APART static int outer(int n) { void *fake[2] = {0, (char *)outer + 8}; bare(fake); return n + sum; }
int main(int count, char **arguments) { return outer(count) + sum; }
"""
    found = unwound(picture := taken(build(tmp_path, body)))
    assert names(picture, found.places) == ["picture", "inner", "bare"]
    assert found.ended == NO_TABLES


RECURSION = r"""
APART static int deeper(int n) { char room[400]; memset(room, n, 400);
    if (n) deeper(n - 1); else picture(); return room[n & 255]; }
int main(int count, char **arguments) { most = atoi(arguments[2]); return deeper(atoi(arguments[1])); }
"""


def test_a_stack_that_is_cut_says_at_what_size(tmp_path: Path) -> None:
    program = build(tmp_path, RECURSION)
    picture = taken(program, "90", "16384")
    found = unwound(picture)
    assert found.ended == "stack too deep: more than 16 KiB"
    assert set(names(picture, found.places)[1:]) == {"deeper"}
    assert [place + 1 for place in found.places[1:]] == picture.callers[1 : len(found.places)]
    whole = taken(program, "90", "65536")
    assert len(unwound(whole, 65536).places) == len(whole.callers)
    assert unwound(whole, 65536).ended == ""


def test_a_stack_may_be_too_deep_or_lack_a_page(tmp_path: Path) -> None:
    program = build(tmp_path, RECURSION)
    found = unwound(taken(program, "300", "262144"), 262144)
    assert (found.ended, len(found.places)) == (more_than(DEEPEST), DEEPEST)
    assert unwound(taken(program, "90", "8192")).ended == NOT_IN_MEMORY


def test_what_is_read_of_hostile_tables_is_bounded(tmp_path: Path) -> None:
    picture = taken(build(tmp_path, CHAIN))
    found = space(picture).unwind(picture.registers, picture.stack, Effort(1), whole=16384)
    assert found.ended == TOO_MUCH
    assert 1 <= len(found.places) < 5


def test_a_place_that_is_no_code_is_no_frame(tmp_path: Path) -> None:
    picture = taken(build(tmp_path, CHAIN))
    words = picture.stack.tolist()
    last = max(at for at, word in enumerate(words) if word == picture.callers[2])  # others are in `callers`
    words[last] = 0x1234
    broken = picture._replace(stack=memoryview(b"".join(word.to_bytes(8, "little") for word in words)).cast("Q"))
    found = unwound(broken)
    assert found.ended == NOWHERE
    assert names(picture, found.places) == ["picture", "inner"]


def test_a_system_call_that_ends_its_function_belongs_to_it(tmp_path: Path) -> None:
    """As glibc's `__restore_rt` does. The kernel returns behind it, where maybe nothing is described."""
    picture = taken(build(tmp_path, CHAIN))
    at = unwound(picture).places[2] + 1  # where `inner` returns to
    registers = [*picture.registers]
    registers[RIP], registers[RCX] = at, at
    called = space(picture).unwind(registers, picture.stack, Effort(MUCH), whole=16384)
    registers[RCX] = 0
    interrupted = space(picture).unwind(registers, picture.stack, Effort(MUCH), whole=16384)
    assert (called.places[0], interrupted.places[0]) == (at - 1, at)

"""Work that hangs is left behind, and what follows goes on."""

from __future__ import annotations

import threading

from ebpftop.base.apart import Apart


def test_one_thread_does_job_after_job() -> None:
    apart, by = Apart(60.0), list[int]()
    for _ in range(3):
        assert apart.done(lambda: by.append(threading.get_ident()))
    apart.close()
    assert len(by) == 3
    assert len(set(by)) == 1
    assert threading.get_ident() not in by
    assert apart.left == 0


def test_a_job_that_hangs_is_left_behind_and_the_next_has_a_thread_of_its_own() -> None:
    apart, over, done = Apart(0.01), threading.Event(), list[str]()

    def hang() -> None:
        over.wait()

    assert not apart.done(hang)
    assert apart.left == 1
    apart._patience = 60.0
    assert apart.done(lambda: done.append("next"))
    assert done == ["next"]
    over.set()
    assert apart.done(lambda: done.append("its end is no end of the third"))
    apart.close()
    assert apart.left == 1


def test_closing_ends_the_thread() -> None:
    apart, mine = Apart(60.0), list[threading.Thread]()
    apart.done(lambda: mine.append(threading.current_thread()))
    apart.close()
    mine[0].join(60.0)
    assert not mine[0].is_alive()
    apart.close()

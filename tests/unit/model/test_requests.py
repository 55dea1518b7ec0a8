"""Loads by the numbers of their requests: what a save loads again, and what ends for it."""

from __future__ import annotations

from ebpftop.frames.messages import Catalog, Loaded, Loading, Refused, Rejected
from ebpftop.model.requests import Requests, saved
from ebpftop.model.run import Run
from ebpftop.model.session import Session
from tests.support.frames import catalog, detached, loaded, probe, rejected

ID = "my/probe"
PID = {"pid": "1"}


class Dashboard:
    """Requests, and the runs that answer them, which a root side would number."""

    def __init__(self) -> None:
        self.requests = Requests()
        self._session = Session()
        self._runs = 0

    @property
    def runs(self) -> dict[int, Run]:
        return self._session.runs

    def ask(self, params: dict[str, str] | None = None, *, again: int = 0) -> int:
        """Request the probe; again: the lineage, where a save caused it. The request's number."""
        return self.requests.new(ID, params or {}, "save" if again else "user", lineage=again).number

    def feed(self, frame: Loading | Loaded | Rejected) -> Run:
        run = self._session.feed(frame)
        assert run is not None
        return run

    def starts(self, request: int) -> Run:
        self._runs += 1
        return self.feed(
            Loading(request=request, run=self._runs, probe=ID, params=self._params(request), stage="compile")
        )

    def runs_now(self, run: Run) -> Run:
        return self.feed(loaded(run.id, ID, request=run.request, params=run.params))

    def fails(self, run: Run, text: str = "int f;\n") -> Run:
        return self.feed(rejected(run.id, ID, request=run.request, params=run.params, text=text))

    def ends(self, run: Run) -> None:
        self._session.feed(detached(run.id))

    def is_refused(self, request: int) -> None:
        self._session.feed(Refused(request=request, error="no such parameter"))

    def to_reload(self, *probes: str) -> list[int]:
        """Lineages."""
        return [each.lineage for each in self.requests.to_reload(set(probes or {ID}), self.runs.values())]

    def replaced(self, run: Run) -> list[int]:
        return self.requests.replaced(run, self.runs)

    def before(self, run: Run) -> Run | None:
        return self.requests.before(run, self.runs)

    def _params(self, request: int) -> dict[str, str]:
        requested = self.requests.get(request)
        return requested.params if requested else {}


def test_numbers_go_up_and_one_that_was_agreed_on_takes_none() -> None:
    requests = Requests(3)
    early = requests.new(ID, {}, "playbook", number=2)
    first, second = requests.new(ID, PID), requests.new(ID, PID)
    assert [early.number, first.number, second.number] == [2, 3, 4]
    assert [each.lineage for each in (early, first, second)] == [2, 3, 4]
    assert (first.probe, first.params, first.by) == (ID, PID, "user")
    assert requests.get(4) is second
    assert requests.get(5) is None
    again = requests.new(ID, PID, "save", lineage=first.lineage)
    assert (again.number, again.lineage) == (5, 3)


def test_numbers_are_not_used_again_after_the_collector_started_again() -> None:
    requests = Requests()
    assert requests.new(ID, {}).number == 1
    requests.clear()
    assert requests.get(1) is None
    assert requests.new(ID, {}).number == 2


def test_a_lineage_holds_the_runs_of_all_its_versions() -> None:
    on = Dashboard()
    mine, other = on.ask(), on.ask()
    first, apart = on.runs_now(on.starts(mine)), on.runs_now(on.starts(other))
    second = on.fails(on.starts(on.ask(again=mine)))
    on.starts(0)  # nobody here requested it
    assert on.requests.runs(mine, on.runs.values()) == [first, second]
    assert on.requests.runs(other, on.runs.values()) == [apart]


def test_two_equal_loads_that_run_are_both_loaded_again() -> None:
    on = Dashboard()
    one, two = on.ask(), on.ask()
    on.runs_now(on.starts(one))
    on.starts(two)  # still loading
    assert on.to_reload() == [one, two]
    assert on.to_reload("other/probe") == []


def test_of_equal_loads_that_were_rejected_the_last_is_loaded_again_once() -> None:
    on = Dashboard()
    one, two, other = on.ask(), on.ask(), on.ask(PID)
    for request in (one, two, other):
        on.fails(on.starts(request))
    assert on.to_reload() == [two, other]


def test_a_rejected_load_is_loaded_again_beside_an_equal_one_that_runs() -> None:
    on = Dashboard()
    runs, fails = on.ask(), on.ask()
    on.runs_now(on.starts(runs))
    on.fails(on.starts(fails))
    assert on.to_reload() == [runs, fails]


def test_a_lineage_is_loaded_again_once_whose_versions_run_and_were_rejected() -> None:
    on = Dashboard()
    mine = on.ask()
    on.runs_now(on.starts(mine))
    on.fails(on.starts(on.ask(again=mine)))
    on.fails(on.starts(on.ask(again=mine)))
    assert on.to_reload() == [mine]


def test_what_was_detached_stays_detached() -> None:
    on = Dashboard()
    mine = on.ask()
    on.ends(on.runs_now(on.starts(mine)))
    assert on.to_reload() == []


def test_what_others_requested_is_not_loaded_again() -> None:
    on = Dashboard()
    on.runs_now(on.starts(0))
    assert on.to_reload() == []


def test_a_request_that_was_refused_leaves_nothing() -> None:
    on = Dashboard()
    mine = on.ask()
    on.is_refused(mine)
    assert on.runs == {}
    assert on.requests.runs(mine, on.runs.values()) == []
    assert on.to_reload() == []


def test_a_refused_reload_leaves_the_version_before_running() -> None:
    on = Dashboard()
    mine = on.ask()
    first = on.runs_now(on.starts(mine))
    on.is_refused(on.ask(again=mine))
    assert on.to_reload() == [mine]
    second = on.runs_now(on.starts(on.ask(again=mine)))
    assert on.replaced(second) == [first.id]


def test_a_new_version_replaces_those_before_it_in_its_lineage_alone() -> None:
    on = Dashboard()
    mine, equal = on.ask(), on.ask()
    first, apart = on.runs_now(on.starts(mine)), on.runs_now(on.starts(equal))
    assert on.replaced(first) == on.replaced(apart) == []
    second = on.runs_now(on.starts(on.ask(again=mine)))
    assert on.replaced(second) == [first.id]
    third = on.runs_now(on.starts(on.ask(again=mine)))
    assert on.replaced(third) == [first.id, second.id]
    on.ends(first)
    assert on.replaced(third) == [second.id]
    assert on.replaced(apart) == []


def test_a_version_that_took_longer_than_a_later_one_ends_at_once() -> None:
    on = Dashboard()
    mine = on.ask()
    first = on.runs_now(on.starts(mine))
    slow, fast = on.starts(on.ask(again=mine)), on.starts(on.ask(again=mine))
    on.runs_now(fast)
    assert on.replaced(fast) == [first.id]
    on.ends(first)
    on.runs_now(slow)
    assert on.replaced(slow) == [slow.id]


def test_what_others_loaded_replaces_nothing() -> None:
    on = Dashboard()
    on.runs_now(on.starts(0))
    assert on.replaced(on.runs_now(on.starts(0))) == []


def test_the_version_before_a_rejected_one() -> None:
    on = Dashboard()
    mine, equal = on.ask(), on.ask()
    first = on.runs_now(on.starts(mine))
    on.fails(on.starts(equal), "int apart;\n")
    second = on.fails(on.starts(on.ask(again=mine)), "int second;\n")
    third = on.fails(on.starts(on.ask(again=mine)), "int third;\n")
    assert on.before(first) is None  # it runs
    assert on.before(second) is first
    assert on.before(third) is second


def test_an_equal_text_is_no_version_before_and_neither_is_another_load() -> None:
    on = Dashboard()
    mine = on.ask()
    first = on.fails(on.starts(mine), "int same;\n")
    assert on.before(first) is None
    assert on.before(on.fails(on.starts(on.ask(again=mine)), "int same;\n")) is None
    assert on.before(on.fails(on.starts(0))) is None


def test_probes_were_saved_whose_revision_is_another() -> None:
    def those(**revisions: str) -> Catalog:
        return catalog(*(probe(f"my/{name}", revision=revision) for name, revision in revisions.items()))

    assert saved(None, those(a="1")) == set()
    assert saved(those(a="1", b="1"), those(a="2", b="1", new="1")) == {"my/a"}
    assert saved(those(a="1", gone="1"), those(a="1")) == set()

from pathlib import Path

import pytest

from ebpftop.catalog.document import BadManifest
from ebpftop.catalog.folders import CatalogRead, bundled, read_catalog
from ebpftop.catalog.playbook import MOST, faults, read_playbook
from ebpftop.frames.messages import StepInfo
from tests.support.probes import write_probe

NOWHERE = Path("/nonexistent")
CATALOG = read_catalog(system=NOWHERE)
HEAD = 'title = "Slow"\nsummary = "Why it is slow."\n'
STEP = '[[probes]]\nid = "cpu/runqlat"\nquestion = "Is it the CPU?"\n'


def write(folder: Path, text: str, name: str = "slow") -> Path:
    file = folder / "playbooks" / f"{name}.toml"
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(text)
    return file


def problems(file: Path) -> list[str]:
    with pytest.raises(BadManifest) as caught:
        read_playbook(file)
    return [problem.removeprefix(f"{file}:") for problem in caught.value.problems]


def test_a_playbook_is_read_in_its_order_with_everything_it_says(tmp_path: Path) -> None:
    more = '[[probes]]\nid = "cpu/syscount"\nquestion = "Who?"\nview = "by process"\nparams = {pid = 1, by = "both"}\n'
    info = read_playbook(write(tmp_path, HEAD + more + STEP)).info
    assert (info.name, info.title, info.summary) == ("slow", "Slow", "Why it is slow.")
    assert info.steps == [
        StepInfo(probe="cpu/syscount", question="Who?", view="by process", params={"pid": "1", "by": "both"}),
        StepInfo(probe="cpu/runqlat", question="Is it the CPU?"),
    ]


def test_a_playbook_may_begin_with_threads(tmp_path: Path) -> None:
    assert read_playbook(write(tmp_path, 'opens = "threads"\n' + HEAD + STEP)).info.opens == "threads"
    assert read_playbook(write(tmp_path, HEAD + STEP)).info.opens == ""
    (problem,) = problems(write(tmp_path, 'opens = "thread"\n' + HEAD + STEP))
    assert problem.startswith("1: opens: expected one of threads, not 'thread'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1: title: missing, expected a string", "1: summary: missing, expected a string"]),
        (HEAD + "probes = []\n", ["3: probes: expected at least one"]),
        (HEAD + STEP.replace("question", "qestion"), ["5: probes[0].qestion: unknown key; did you mean question?"]),
        (HEAD.replace("title", "titel") + STEP, ["1: titel: unknown key; did you mean title?"]),
        (HEAD + STEP.replace("cpu/runqlat", "runqlat"), ["4: probes[0].id: expected a probe's CATEGORY/NAME"]),
        (
            HEAD + STEP + "params = {pid = [1]}\n",
            ["6: probes[0].params.pid: expected a string, an integer, true or"],
        ),
        ("priority = 10\n" + HEAD + STEP, ["1: priority: expected -9 to 9, not 10"]),
        (HEAD + STEP + "params = 3\n", ["6: probes[0].params: expected a table"]),
        (HEAD + STEP + STEP, ["7: probes[1].id: the same probe with the same parameters is used twice"]),
        (HEAD + STEP * (MOST + 1), [f"3: probes: expected at most {MOST}, not {MOST + 1}"]),
        (
            'about = "proces"\n' + HEAD + STEP,
            ["1: about: expected one of machine, process, not 'proces'; did you mean"],
        ),
        ("title = [", ["1: "]),
    ],
)
def test_what_is_wrong_with_it_is_told_with_its_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    told = problems(write(tmp_path, text))
    for wanted in expected:
        assert any(problem.startswith(wanted) for problem in told), told


def test_what_it_names_and_the_catalog_lacks_is_a_line_each_and_no_more(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        HEAD
        + STEP.replace("cpu/runqlat", "cpu/runqlta")
        + STEP
        + 'view = "latncy"\n'
        + STEP.replace("runqlat", "syscount")
        + 'params = {pid = "x"}\n',
    )
    first, *others = faults(read_playbook(file), CATALOG.probes)
    assert first.startswith(f"{file}:4: probes[0].id: unknown probe 'cpu/runqlta'; did you mean cpu/runqlat")
    assert others == [
        f"{file}:9: probes[1].view: cpu/runqlat has no view 'latncy', only latency, held; did you mean latency?",
        f"{file}:13: probes[2].params: cpu/syscount: pid: expected a process id from 1 to 4194304, not 'x'",
    ]


def test_playbooks_are_found_beside_the_probes_and_a_bad_one_leaves_the_rest(tmp_path: Path) -> None:
    write_probe(tmp_path, "my/one")
    mine = write(tmp_path, HEAD + STEP.replace("cpu/runqlat", "my/one"), "mine")
    missing = write(tmp_path, HEAD + STEP.replace("cpu/runqlat", "my/two") + STEP, "partly")
    write(tmp_path, HEAD, "broken")
    write(tmp_path, HEAD + STEP, "disk-slow")
    write(tmp_path, HEAD + STEP, "Odd\n")
    (tmp_path / "playbooks" / "notes.md").touch()
    found = read_catalog([tmp_path], NOWHERE)
    assert found.playbooks["mine"].file == mine
    assert [step.probe for step in found.playbooks["partly"].info.steps] == ["my/two", "cpu/runqlat"]
    assert set(found.playbooks) - set(CATALOG.playbooks) == {"mine", "partly"}
    assert "my/one" in found.probes
    assert sorted(set(found.problems) - set(CATALOG.problems)) == sorted(
        [
            f"{tmp_path}/playbooks/Odd\\n.toml: the name may contain only lower-case letters, digits, - and _",
            f"{tmp_path}/playbooks/broken.toml:1: probes: missing, expected an array of tables",
            f"{tmp_path}/playbooks/disk-slow.toml: disk-slow is already in {bundled()}/playbooks/disk-slow.toml; "
            "this one is ignored",
            f"{missing}:4: probes[0].id: unknown probe 'my/two'; 'ebpftop list' shows them all",
        ]
    )


def test_the_systems_playbooks_are_used_only_where_root_alone_can_write_them(tmp_path: Path) -> None:
    file = write(tmp_path, HEAD + STEP)
    file.chmod(0o666)
    found = read_catalog(system=tmp_path)
    assert "slow" not in found.playbooks
    assert any("can write to it" in problem or "not owned by root" in problem for problem in found.problems)


def test_the_bundled_playbooks_name_probes_parameters_and_views_that_there_are() -> None:
    assert list(CATALOG.playbooks) == [
        "first-minute",
        "cpu-saturated",
        "disk-slow",
        "it-hangs",
        "memory-pressure",
        "network-flaky",
        "who-did-that",
        "first-look",
        "one-process",
    ]
    assert [faults(playbook, CATALOG.probes) for playbook in CATALOG.playbooks.values()] == [[]] * 9


def test_a_catalog_without_playbooks_is_one() -> None:
    assert CatalogRead({}, []).playbooks == {}


def test_a_playbook_about_one_process_names_probes_that_take_a_pid(tmp_path: Path) -> None:
    text = 'about = "process"\n' + HEAD + STEP + STEP.replace("cpu/runqlat", "irq/softirqs")
    playbook = read_playbook(write(tmp_path, text))
    assert playbook.info.of_process
    assert not read_playbook(write(tmp_path, HEAD + STEP)).info.of_process
    (line,) = faults(playbook, CATALOG.probes)
    assert line.endswith("8: probes[1].id: irq/softirqs has no parameter of type pid, so it can't be about one process")


def test_probes_that_tell_more_are_others_that_there_are() -> None:
    named = {probe.id: probe.next for probe in CATALOG.probes.values() if probe.next}
    assert len(named) > 15
    assert {name for names in named.values() for name in names} <= set(CATALOG.probes)
    assert not any(probe in names for probe, names in named.items())
    looked_at = {step.probe for step in CATALOG.playbooks["first-look"].info.steps}
    assert looked_at <= set(named)

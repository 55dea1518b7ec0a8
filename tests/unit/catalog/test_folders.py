import os
from pathlib import Path

import pytest

from ebpftop.catalog import files, folders
from ebpftop.catalog.folders import CatalogRead, bundled, read_catalog
from tests.support.probes import HEAD, write_probe

NOWHERE = Path("/nonexistent")


def read(*extra: Path, system: Path = NOWHERE) -> CatalogRead:
    """The catalog of these folders, without the probes that ship with the package and their problems."""
    found = read_catalog(extra, system)
    ours = str(bundled()) + "/"
    return CatalogRead(
        {key: probe for key, probe in found.probes.items() if not str(probe.folder).startswith(ours)},
        [problem for problem in found.problems if not problem.startswith(ours)],
    )


def test_the_bundled_probes_lie_beside_the_package_in_a_checkout() -> None:
    assert bundled() == Path(__file__).resolve().parents[3] / "probes"


def test_probes_are_found_by_category_and_name_in_order(tmp_path: Path) -> None:
    for probe_id in ("zoo/b", "my/two", "my/one"):
        write_probe(tmp_path, probe_id)
    found = read(tmp_path)
    assert found.problems == []
    assert list(found.probes) == ["my/one", "my/two", "zoo/b"]
    assert found.probes["zoo/b"].id == "zoo/b"
    assert found.probes["my/one"].folder == tmp_path / "my" / "one"


def test_what_is_no_probe_is_passed_over(tmp_path: Path) -> None:
    write_probe(tmp_path, "my/one")
    for name in ("include/x", ".git/x", "_old/x", "my/.draft", "my/_old"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "README.md").write_text("")
    (tmp_path / "my" / "notes").write_text("")
    assert read(tmp_path) == CatalogRead(dict(read(tmp_path).probes), [])
    assert list(read(tmp_path).probes) == ["my/one"]


def test_one_probe_is_read_without_the_others(tmp_path: Path) -> None:
    for probe_id in ("my/one", "zoo/one", "my/two"):
        write_probe(tmp_path, probe_id)
    write_probe(tmp_path, "my/bad", head=HEAD + "titel = 1\n")
    assert len(read_catalog([tmp_path], NOWHERE).problems) == 1
    by_name = read_catalog([tmp_path], NOWHERE, only="one")
    assert (list(by_name.probes), by_name.problems, by_name.playbooks) == (["my/one", "zoo/one"], [], {})
    assert list(read_catalog([tmp_path], NOWHERE, only="my/one").probes) == ["my/one"]
    assert list(read_catalog([tmp_path], NOWHERE, only="cpu/runqlat").probes) == ["cpu/runqlat"]
    assert read_catalog([tmp_path], NOWHERE, only="my").probes == {}


def test_a_broken_folder_is_a_problem_and_the_rest_works(tmp_path: Path) -> None:
    write_probe(tmp_path, "my/good")
    write_probe(tmp_path, "my/bad", head=HEAD + "titel = 1\n")
    (tmp_path / "my" / "empty").mkdir()
    (tmp_path / "my" / "Odd\n").mkdir()
    found = read(tmp_path)
    assert list(found.probes) == ["my/good"]
    assert found.problems == [
        f"{tmp_path}/my/Odd\\n: the name may contain only lower-case letters, digits, - and _",
        f"{tmp_path}/my/bad/probe.toml:5: titel: unknown key; did you mean title?",
        f"{tmp_path}/my/empty/probe.toml: No such file or directory",
    ]


def test_an_id_taken_by_an_earlier_folder_is_a_problem(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    write_probe(first, "my/one")
    write_probe(second, "my/one")
    found = read(first, second)
    assert found.probes["my/one"].folder == first / "my" / "one"
    assert found.problems == [f"{second}/my/one: my/one is already in {first}/my/one; this one is ignored"]


def test_a_folder_that_is_not_there_is_a_problem_unless_it_is_the_systems(tmp_path: Path) -> None:
    assert read(tmp_path / "no").problems == [f"{tmp_path}/no: no such folder"]
    assert read(system=tmp_path / "no").problems == []


def test_a_symbolic_link_in_an_extra_folder_is_followed(tmp_path: Path) -> None:
    write_probe(tmp_path / "elsewhere", "my/one")
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "my").symlink_to(tmp_path / "elsewhere" / "my")
    assert list(read(tmp_path / "extra").probes) == ["my/one"]


@pytest.mark.root
def test_the_systems_folder_is_read_when_it_is_roots_alone(tmp_path: Path) -> None:
    write_probe(tmp_path, "my/one")
    found = read(system=tmp_path)
    assert (list(found.probes), found.problems) == (["my/one"], [])


@pytest.mark.root
@pytest.mark.parametrize(
    ("place", "owner", "mode", "why"),
    [
        ("", 1000, 0o755, "{}: not owned by root; its probes are ignored"),
        ("", 0, 0o775, "{}: users other than root can write to it; its probes are ignored"),
        ("", 0, 0o1777, "{}: users other than root can write to it; its probes are ignored"),
        ("my", 0, 0o757, "{}: users other than root can write to it; my/one is ignored"),
        ("my/one", 1000, 0o755, "{}: not owned by root; my/one is ignored"),
        ("my/one/probe.bpf.c", 1000, 0o644, "{}: not owned by root; my/one is ignored"),
        ("my/one/probe.toml", 0, 0o646, "{}: users other than root can write to it; my/one is ignored"),
    ],
)
def test_what_others_can_write_to_is_not_used(tmp_path: Path, place: str, owner: int, mode: int, why: str) -> None:
    system = tmp_path / "system"
    write_probe(system, "my/one")
    os.chown(system / place, owner, owner)
    (system / place).chmod(mode)
    found = read(system=system)
    assert found.probes == {}
    assert found.problems == [why.format(system / place)]


@pytest.mark.root
def test_a_parent_that_others_own_is_not_trusted(tmp_path: Path) -> None:
    write_probe(tmp_path / "parent" / "system", "my/one")
    os.chown(tmp_path / "parent", 1000, 1000)
    found = read(system=tmp_path / "parent" / "system")
    assert found.probes == {}
    assert found.problems == [f"{tmp_path}/parent: not owned by root; its probes are ignored"]


@pytest.mark.root
def test_a_symbolic_link_out_of_the_systems_folder_is_refused(tmp_path: Path) -> None:
    system = tmp_path / "system"
    inside = write_probe(system, "my/one")
    (inside / "README.md").symlink_to("probe.toml")
    assert list(read(system=system).probes) == ["my/one"]
    (tmp_path / "secret").write_text("")
    (inside / "README.md").unlink()
    (inside / "README.md").symlink_to(tmp_path / "secret")
    found = read(system=system)
    assert found.probes == {}
    assert found.problems == [f"{inside}/README.md: leads outside {system}; my/one is ignored"]


def test_what_is_too_much_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many entries of a folder, too many probes, too much text in them."""
    for number in range(4):
        write_probe(tmp_path / "few", f"my/p{number}")
    few = tmp_path / "few"
    monkeypatch.setattr(folders, "MOST_PROBES", 3)
    part = folders.read_folder(few)
    assert list(part.probes) == ["my/p0", "my/p1", "my/p2"]
    assert part.problems == [f"{few}: more than 3 probes; my/p3 and the rest are not read"]
    monkeypatch.setattr(folders, "MOST_PROBES", 4)
    monkeypatch.setattr(folders, "MOST_TEXT", 500)
    part = folders.read_folder(few)
    assert list(part.probes) == ["my/p0"]
    assert part.problems == [f"{few}: more than 0 MiB of text; my/p1 and the rest are not read"]
    monkeypatch.setattr(files, "MOST_ENTRIES", 3)
    assert folders.read_folder(few).problems == [f"{few}/my: more than 3 entries"]
    write_probe(tmp_path / "headers")
    for number in range(4):
        (tmp_path / "headers/cpu/calls" / f"{number}.txt").touch()
    assert folders.read_folder(tmp_path / "headers").problems == [f"{tmp_path}/headers/cpu/calls: more than 3 entries"]


def test_too_many_playbooks_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "playbooks").mkdir()
    text = 'title = "Mine"\nsummary = "One."\n[[probes]]\nid = "cpu/runqlat"\nquestion = "Busy?"\n'
    for name in ("one", "two"):
        (tmp_path / f"playbooks/{name}.toml").write_text(text)
    monkeypatch.setattr(folders, "MOST_TEXT", len(text) - 1)
    part = folders.read_folder(tmp_path)
    assert list(part.playbooks) == ["one"]
    assert part.problems == [f"{tmp_path}/playbooks: more than 0 MiB of playbooks; two and the rest are not read"]

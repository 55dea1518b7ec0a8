import tomllib
from textwrap import dedent

import pytest

from ebpftop.catalog.positions import KeyPath, key_lines

TEXT = dedent(
    '''\
    title = "a # no comment" # line = 1
    a.b . "c d" = 1
    text = """
    [[views]]
    "quoted" \\""" ""\\"
    """ # 6
    literal = \'\'\'
    it's = 1
    \'\'\'

    [params.pid] # 11
    type = 'pid'

    [[views]]
    map = "one"
    by = [
      "a", # "b",
      "]",
    ]
    [[views.columns]]
    field = "x"
    [[ views . columns ]]
    field = "y"
    [[views]]
    map = "two"
    inline = { x = 1, "y" = { z = [1, { deep = 2 }] } }
    [views.more]
    when = 1979-05-27 07:32:00
    last = 1
    '''
)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 1),
        (("a",), 2),
        (("a", "b", "c d"), 2),
        (("text",), 3),
        (("literal",), 7),
        (("params", "pid"), 11),
        (("params", "pid", "type"), 12),
        (("views", 0), 14),
        (("views", 0, "map"), 15),
        (("views", 0, "by"), 16),
        (("views", 0, "by", 0), 17),
        (("views", 0, "by", 1), 18),
        (("views", 0, "columns", 0, "field"), 21),
        (("views", 0, "columns", 1), 22),
        (("views", 0, "columns", 1, "field"), 23),
        (("views", 1), 24),
        (("views", 1, "map"), 25),
        (("views", 1, "inline", "y", "z", 1, "deep"), 26),
        (("views", 1, "more"), 27),
        (("views", 1, "more", "when"), 28),
        (("views", 1, "more", "last"), 29),
    ],
)
def test_each_key_has_its_line(path: KeyPath, line: int) -> None:
    assert key_lines(TEXT)[path] == line


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_key_tomllib_reads_is_found(newline: str) -> None:
    text = TEXT.replace("\n", newline)
    found = key_lines(text)

    def paths(value: object, path: KeyPath) -> list[KeyPath]:
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [path, *(inner for key, child in children for inner in paths(child, (*path, key)))]

    assert set(paths(tomllib.loads(text), ())) - set(found) == {()}


def test_a_key_inside_a_string_is_no_key() -> None:
    assert ("it's",) not in key_lines(TEXT)
    assert ("line",) not in key_lines(TEXT)

from ebpftop.catalog.numbering import ROOM, SPLICED
from ebpftop.loader.listing import lines_of, places_of

DEBUG_SOURCE = """\
Disassembly of function f
; #line 3 "/virtual/main.c" // Line  25
   0:\t85 00 00 00 0e 00 00 00\tcall 14
   1:\t18 11 00 00 ff ff ff ff 00 00 00 00 00 00 00 00\tld_pseudo\tr1, 1, 4294967295
;  // Line1026
   3:\t95 00 00 00 00 00 00 00\texit

Disassembly of function g
   0:\t05 00 ff ff 00 00 00 00\tgoto -1
; return x; // Line   7
  11:\tb7 00 00 00 00 00 00 00\tr0 = 0
"""


def test_the_table_of_lines() -> None:
    assert lines_of(DEBUG_SOURCE) == {"f": {0: 25, 1: 25, 3: 1026}, "g": {11: 7}}
    assert lines_of("/virtual/main.c:2:10: error: use of undeclared identifier 'y'\n") == {}


def test_places_say_where_another_line_begins() -> None:
    table = {0: 25, 1: 25, 3: 1026, 4: SPLICED + ROOM + 7, 5: SPLICED + 9 * ROOM, 6: SPLICED + ROOM + 7}
    assert places_of(table, 2) == [(0, 0, 25), (3, 0, 1026), (4, 2, 7), (6, 2, 7)]
    assert places_of({}, 2) == []

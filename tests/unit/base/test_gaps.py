"""Words for what is missing in call stacks."""

import pytest

from ebpftop.base import gaps

WORDS = [each for name, each in vars(gaps).items() if name.isupper() and not name.startswith("_")]
MADE = [gaps.deeper_than(16384), gaps.more_than(127), gaps.missing(22)]


@pytest.mark.parametrize("gap", [*WORDS, *MADE])
def test_every_gap_is_explained(gap: str) -> None:
    assert gaps.is_gap(gap)
    assert gaps.explained(gap).endswith(".")


def test_what_is_wrong_with_tables_is_no_word_of_ours() -> None:
    gap = gaps.broken("unknown version 7")
    assert gaps.explained(gap) == gaps.explained(gaps.BROKEN) != ""
    assert not gaps.is_gap(gap)


@pytest.mark.parametrize("text", ["", "main", "stripped_down", "stack too deep", "stripped 3 secrets"])
def test_other_words_are_none(text: str) -> None:
    assert not gaps.is_gap(text)
    assert gaps.explained(text) == ""

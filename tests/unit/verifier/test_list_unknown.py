"""The list of a new kernel's unknown messages."""

from tests.unit.verifier.list_unknown import formats, known

SOURCE = r"""
/* verbose(env, "in a comment\n"); */
	if (bad) {
		verbose(env, "R%d is bad; "
			"and \"quoted\"\n", regno);
		btf_verifier_log_type(env, t, "Invalid name");
		verifier_bug(env, "no map");
		verbose(env, msg);
	}
"""


def test_formats_are_joined_and_placed() -> None:
    assert list(formats(SOURCE)) == [
        (4, r"R%d is bad; and \"quoted\"\n"),
        (6, "[1] INT int Invalid name"),
        (7, "verifier bug: no map"),
    ]


def test_a_format_is_known_by_any_name_that_fits() -> None:
    assert known(r"%s invalid mem access '%s'\n")
    assert known(r"misaligned %saccess off %s+%d size %d\n")
    assert not known(r"%s is so new that no rule knows it\n")

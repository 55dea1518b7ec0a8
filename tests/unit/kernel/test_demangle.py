import pytest

from ebpftop.kernel.demangle import demangle


@pytest.mark.parametrize(
    ("mangled", "plain"),
    [
        ("main", "main"),
        ("_Z", "_Z"),
        ("_Znot_a_name", "_Znot_a_name"),
        ("_ZN3foo3barEi", "foo::bar(int)"),
        ("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back(int const&)"),
        ("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"),
        (
            "_ZN50_$LT$T$u20$as$u20$core..convert..Into$LT$U$GT$$GT$4into17h0123456789abcdefE",
            "<T as core::convert::Into<U>>::into",
        ),
        ("_ZN4core3fmt5write17h0123456789abcdefE.llvm.123", "core::fmt::write"),
        ("_ZN3foo3barEi.cold", "foo::bar(int) [clone .cold]"),
        ("_Z" + "x" * 5000, "_Z" + "x" * 5000),
        ("main.(*T).Burn", "main.(*T).Burn"),
        ("gopkg.in/yaml%2ev3.(*Node).Decode", "gopkg.in/yaml.v3.(*Node).Decode"),
        ("example.com/gr%c3%b6%c3%9fe.F", "example.com/größe.F"),
        ("100%", "100%"),
        ("main.Map[go.shape.int_0,go.shape.string_1]", "main.Map[int,string]"),
        ("main.Map[go.shape.int,go.shape.*uint8].func1", "main.Map[int,*].func1"),
        ("main.F[go.shape.struct { main.a_1 int }_0]", "main.F[struct { main.a_1 int }]"),
    ],
)
def test_names_are_told_as_their_authors_wrote_them(mangled: str, plain: str) -> None:
    assert demangle([mangled]) == {mangled: plain}


def unfolding(times: int) -> str:
    """A name whose text doubles so many times: f(A<int, int>, A<A<int, int>, A<int, int> >, …)."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return "_Z1f1AIiiE" + "".join(f"S_IS{digits[n]}_S{digits[n]}_E" for n in range(times))


def test_a_name_that_unfolds_to_more_than_any_memory_stays_as_it_is_and_costs_no_other() -> None:
    """33 doublings are some 300 GB of text, from 340 bytes."""
    bomb, long = unfolding(33), unfolding(7)
    plain = demangle(["_ZN3foo3barEi", bomb, long])
    assert plain["_ZN3foo3barEi"] == "foo::bar(int)"
    assert plain[long].startswith("f(A<int, int>, A<A<int, int>, A<int, int> >")
    assert plain[bomb] == bomb


def test_after_so_many_such_names_the_rest_stays_mangled() -> None:
    bombs = [unfolding(n) for n in range(24, 36)]
    plain = demangle(["_ZN3foo3barEi", *bombs])
    assert [name for name in bombs if plain[name] != name] == []
    assert plain["_ZN3foo3barEi"] == "foo::bar(int)"


def test_plain_names_are_cut() -> None:
    assert len(demangle([unfolding(11)])[unfolding(11)]) == 4096

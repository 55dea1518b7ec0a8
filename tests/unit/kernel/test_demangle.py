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
        ("_Z" + "x" * 5000, "_Z" + "x" * 5000),
    ],
)
def test_names_are_told_as_their_authors_wrote_them(mangled: str, plain: str) -> None:
    assert demangle(mangled) == plain

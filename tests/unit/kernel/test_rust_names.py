"""Expected texts are those of the RFC and of binutils' demangler."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ebpftop.kernel.demangle import demangle
from ebpftop.kernel.rust_names import plain

NAMES = {
    "_RNvC6_123foo3bar": "123foo::bar",
    "_RNvNtCs1234_7mycrate3foo3bar": "mycrate::foo::bar",
    "_RNvNtCs1234_7mycrate3foo3bar.llvm.1234567": "mycrate::foo::bar",
    "_RNvNtCs1234_7mycrate3foo3bar.cold": "mycrate::foo::bar [.cold]",
    "_RNvMsr_NtCs3ssYzQotkvD_3std4pathNtB5_7PathBuf3newCs15kBYyAo9fc_7mycrate": "<std::path::PathBuf>::new",
    "_RNCNCNgCs6DXkGYLi8lr_2cc5spawn00B5_": "cc::spawn::{closure#0}::{closure#0}",
    "_RNSC1a4drop": "a::{shim:drop#0}",
    "_RNvYNtC3foo3BarNtC3foo5Trait6method": "<foo::Bar as foo::Trait>::method",
    "_RNvXC1aNtC1b3BarNtC1c5Trait1f": "<b::Bar as c::Trait>::f",
    "_RNvMC0INtC8arrayvec8ArrayVechKj7b_E3new": "<arrayvec::ArrayVec<u8, 123>>::new",
    "_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y": "utf8_idents::საჭმელად_გემრიელი_სადილი",
    "_RINvC1a1fKc76_KcS": None,
    "_RINvC1a1fKc76_Kca_E": "a::f::<'v', '\\n'>",
    "_RINvC1a1fKb1_Kln7b_KRe616263_E": 'a::f::<true, -123, "abc">',
    "_RINvC1a1fKjffffffffffffffff_E": "a::f::<18446744073709551615>",
    "_RINvC1a1fKVNtC1b1PS1xh1_1yh2_EE": "a::f::<b::P { x: 1, y: 2 }>",
    "_RINvC1a1fKAh1_h2_EKTh3_EE": "a::f::<[1, 2], (3,)>",
    "_RINvC1a1fTaTlEERShQuPbOAtj4_zE": "a::f::<(i8, (i32,)), &[u8], &mut (), *const bool, *mut [u16; 4], !>",
    "_RINvC1a1fFUKCmEuFK8fast_abiEhE": 'a::f::<unsafe extern "C" fn(u32), extern "fast-abi" fn() -> u8>',
    "_RINvC1a1fFG_RL0_hEuE": "a::f::<for<'a> fn(&'a u8)>",
    "_RINvC1a1fDG_INtC4core4IterRL0_hEp4ItemRL0_tEL_E": "a::f::<dyn for<'a> core::Iter<&'a u8, Item = &'a u16>>",
    "_RINvC1a1fDNtC1b1TNtC1b1UEL_E": "a::f::<dyn b::T + b::U>",
}


@pytest.mark.parametrize("mangled", NAMES)
def test_names_are_told_as_their_authors_wrote_them(mangled: str) -> None:
    assert plain(mangled) == NAMES[mangled]
    assert demangle([mangled]) == {mangled: NAMES[mangled] or mangled}


@pytest.mark.parametrize(
    "mangled",
    [
        "_R",
        "_Rx",
        "_RNvC1a",
        "_RNvC1a99999999f",
        "_RB_",
        "_RNvB_1a",
        "_RC1aextra",
        "_RINvC1a1fRL0_hE",  # no binder names that lifetime
        "_RINvC1a1fKcd800_E",
        "_RINvC1a1fKe6_E",
        "_RNvC1au3???",
        "_RC" + "9" * 4000,
        "_RINvC1a1f" + "S" * 1500 + "hE",
        "_RINvC1a1f" + "T" * 900 + "E" * 901,
    ],
)
def test_what_is_none_or_too_deep_stays_as_it_is(mangled: str) -> None:
    assert plain(mangled) is None
    assert demangle([mangled]) == {mangled: mangled}


def test_a_name_that_unfolds_without_end_stays_as_it_is() -> None:
    """Each part is a pair of the one before: 2 to the 40th characters, from 300."""
    name, places = "INvC1a1f", []
    for number in range(40):
        places.append(len(name))
        before = f"B{_base_62(places[number - 1])}" if number else "h"
        name += f"T{before}{before}E"
    assert plain(f"_R{name}E") is None


def _base_62(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    number, text = number - 1, "_"
    while number >= 62:
        number, text = number // 62, digits[number % 62] + text
    return digits[number] + text


@given(st.lists(st.sampled_from([*"CMXYNIBEKTRQPOFDLGUASVpuhlbce0123_s", "C1a", "Nv", "1f", "B_", "h"]), max_size=200))
@example(["I", "B_"])
def test_any_text_ends_soon_with_a_bounded_name_or_none(parts: list[str]) -> None:
    text = plain("_R" + "".join(parts))
    assert text is None or len(text) <= 1 << 18


@given(st.sampled_from([name for name, text in NAMES.items() if text]), st.data())
def test_damaged_names_are_told_or_left(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(2, len(name) - 1))
    damaged = name[:at] + data.draw(st.sampled_from([*"_0aBEKNsu", ""])) + name[at + 1 :]
    (told,) = demangle([damaged]).values()
    assert told

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ebpftop.ui.drawing.function_names import shortened

PAIR = "std::map<int, std::string>"
PUSH = f"std::vector<{PAIR}, std::allocator<{PAIR} > >::push_back(std::map<int> const&)"


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        (
            PUSH,
            [
                PUSH.replace("<std::map<int, std::string> >", "<std::map<…> >"),
                "std::vector<std::map<…>, std::allocator<…> >::push_back(std::map<…> const&)",
                "std::vector<…>::push_back(std::map<…> const&)",
                "std::vector<…>::push_back(…)",
                "…::vector<…>::push_back(…)",
                "…::push_back(…)",
            ],
        ),
        (
            "<r::Buf<HashMap<String, Vec<u8>>, 4> as r::Work>::work",
            ["<r::Buf<HashMap<…>, 4> as r::Work>::work", "<r::Buf<…> as r::Work>::work", "…::work"],
        ),
        ("alloc::vec::Vec::<u8>::push", ["alloc::vec::Vec::<…>::push", "…::Vec::<…>::push", "…::push"]),
        ("tokio::run::{closure#0}", ["…::run::{closure#0}"]),
        ("ns::(anonymous namespace)::work(int)", ["ns::(anonymous namespace)::work(…)", "…::work(…)"]),
        ("a::b::operator()(int) const", ["a::b::operator()(…) const", "…::operator()(…) const"]),
        ("Ptr<Node>::operator->() const", ["Ptr<…>::operator->() const", "…::operator->() const"]),
        ("github.com/aws/sdk/service/s3.(*S3).GetObject", ["…/s3.(*S3).GetObject"]),
        ("main.Map[struct { main.a int },*]", ["main.Map[…]"]),
        ("LazyCompile:*foo /home/x/app.js:12", []),
        ("a::cut<b<c, d", ["a::cut<b<…", "a::cut<…"]),
    ],
)
def test_what_tells_functions_apart_is_kept_longest(name: str, forms: list[str]) -> None:
    assert shortened(name, cell_len(name)) == name
    for form in forms:
        assert shortened(name, cell_len(form)) == form


@given(st.text("ab:<>()[]{}/., *&-=operator_§", max_size=80), st.integers(1, 80))
def test_any_name_has_a_form_that_is_no_longer(name: str, width: int) -> None:
    form = shortened(name, width)
    assert cell_len(form) <= max(width, cell_len(name) + 2)
    if cell_len(name) <= width:
        assert form == name

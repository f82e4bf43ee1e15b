"""Long names of C++ functions are told apart and fit into a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.logic.shortnames import short_name, short_names

STRING = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"
LONG = f"std::map<{STRING}, int, std::less<{STRING}> >::operator[]({STRING}&&)"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("main", "main"),
        ("sort<int>(int*, int*)", "sort<int>(int*, int*)"),
        (LONG, "std::map<…>::operator[](…)"),
        (
            "void sensors::poll_with<sensors::Barometer>(sensors::Barometer&, sensors::Listener&)",
            "void sensors::poll_with<sensors::Barometer>(…)",
        ),
        (
            "fold<int (*)(int), 4>(std::array<int, 4ul> const&, std::array<int, 4ul> const&, int)",
            "fold<int (…)(…), 4>(…)",
        ),
        (
            "tflite::(anonymous namespace)::Eval(TfLiteContext*, TfLiteNode*, TfLiteConvParams const&, OpData const&)",
            "tflite::(anonymous namespace)::Eval(…)",
        ),
        (
            f"void std::__sort<int*, __ops::_Iter<main::{{lambda(int, int)#1}}> >({STRING}, int) [clone .constprop.0]",
            "void std::__sort<…>(…) [clone .constprop.0]",
        ),
        (f"main::{{lambda({STRING})#1}}::operator()({STRING}) const", "main::{lambda#1}::operator()(…) const"),
        (f"{STRING}& operator<< <int>({STRING}&)", "std::__cxx11::basic_string<…>& operator<< <…>(…)"),
        (f"{STRING}::operator->()", "std::__cxx11::basic_string<…>::operator->()"),
        ("_ZN" + "1a" * 100, "_ZN" + "1a" * 16 + "1…a" + "1a" * 17),
    ],
)
def test_what_lists_say_is_left_out(name: str, short: str) -> None:
    assert short_name(name) == short


def test_names_that_become_the_same_have_their_addresses() -> None:
    other = LONG.replace("int", "float")
    assert short_names([(LONG, 0x100), ("main", 0x200), (other, 0x300)]) == [
        "std::map<…>::operator[](…) 0x00000100",
        "main",
        "std::map<…>::operator[](…) 0x00000300",
    ]


@given(st.lists(st.tuples(st.text("ab<>(){}[]:, -"), st.integers(0, 2**32 - 1)), max_size=5), st.integers(20, 40))
def test_short_names_are_short(named: list[tuple[str, int]], most: int) -> None:
    for shown, (name, _) in zip(short_names(named, most), named, strict=True):
        assert shown == name or len(shown) <= most + len(" 0x00000000")

"""Readable C++ names, and names made to blow up."""

from __future__ import annotations

import time

import pytest

from vtarget.shell.demangle import bounded_demangler, demangle


@pytest.mark.parametrize(
    ("raw", "readable"),
    [
        ("main", "main"),
        ("", ""),
        ("_Z", "_Z"),
        ("_Zbroken", "_Zbroken"),
        ("_Z3foov", "foo()"),
        ("_ZN3dsp6FilterIiLi4EE3runEi", "dsp::Filter<int, 4>::run(int)"),
        ("_ZL6helperPKcy", "helper(char const*, unsigned long long)"),
        ("_Z3foov.constprop.0", "foo() [clone .constprop.0]"),
        ("_Z3foov.isra.0.part.1", "foo() [clone .isra.0] [clone .part.1]"),
        ("foo.constprop.0", "foo.constprop.0"),
        ("_ZThn8_N3Foo3barEv", "non-virtual thunk to Foo::bar()"),
        ("_ZTv0_n12_N3Foo3barEv", "virtual thunk to Foo::bar()"),
    ],
)
def test_names(raw: str, readable: str) -> None:
    assert demangle(raw) == readable


def doubling_name(levels: int) -> str:
    """A<int,int>, A<that,that>, …: a few characters per level, twice the text."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    references = ["S_", *(f"S{d}_" for d in digits)]
    return "_Z1f1AIiiE" + "".join(f"S_I{references[i]}{references[i]}E" for i in range(1, levels))


def test_name_that_doubles_stays_raw() -> None:
    assert demangle(doubling_name(3)).count("int") == 2 + 4 + 8
    bomb = doubling_name(36)
    start = time.perf_counter()
    assert demangle(bomb) == bomb
    assert time.perf_counter() - start < 0.5


def test_result_too_long_to_read_stays_raw() -> None:
    assert demangle(doubling_name(11)) == doubling_name(11)


def test_overlong_name_stays_raw() -> None:
    name = "_Z5000" + "a" * 5000 + "v"
    assert demangle(name) == name


def test_bounded_demangler_reads_ordinary_names() -> None:
    readable = bounded_demangler()
    assert [readable(n) for n in ("_Z3foov", "main", "_Z3foov")] == ["foo()", "main", "foo()"]

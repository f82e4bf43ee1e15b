"""The search for cycles is off inside ``held_off``, and afterwards as it was before."""

from __future__ import annotations

import gc

import pytest

from vtarget.shell.collector import held_off


def test_the_search_is_on_again_afterwards_also_after_an_error() -> None:
    assert gc.isenabled()
    with held_off():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="inside"), held_off():
        raise ValueError("inside")
    assert gc.isenabled()


def test_inside_another_it_stays_off_until_the_outer_one_ends() -> None:
    with held_off():
        with held_off():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()

"""Calling contexts: chains hold each active function once, so that recursion ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vtarget.logic.calltree import CallTree, FunctionTable


def test_a_call_extends_the_chain_and_recursion_does_not() -> None:
    tree = CallTree()
    main = tree.root(0)
    f = tree.enter(main, 1)
    assert tree.enter(f, 1) == f
    g = tree.enter(f, 2)
    back = tree.enter(g, 1)
    assert tree.function(back) == 1
    assert tree.context_chain[back] == tree.context_chain[g]
    assert tree.enter(back, 2) == g
    assert (tree.chain_parent, tree.chain_function) == ([-1, 0, 1], [0, 1, 2])


def test_two_ways_to_a_function_are_two_contexts() -> None:
    tree = CallTree()
    main = tree.root(0)
    assert tree.enter(tree.enter(main, 1), 3) != tree.enter(tree.enter(main, 2), 3)


@given(st.lists(st.integers(0, 4), max_size=40))
def test_contexts_stay_finite_and_chains_have_no_repeats(calls: list[int]) -> None:
    tree = CallTree()
    context = tree.root(0)
    for function in calls:
        context = tree.enter(context, function)
        members = []
        chain = tree.context_chain[context]
        while chain >= 0:
            members.append(tree.chain_function[chain])
            chain = tree.chain_parent[chain]
        assert len(set(members)) == len(members)
        assert tree.function(context) == function
        assert function in members
        assert set(members) <= {0, *calls}


def test_functions_are_known_by_their_entry() -> None:
    table = FunctionTable()
    assert table.at_entry(0x100) is None
    assert table.add("f", 0x100, 8) == 0
    assert table.add("other name", 0x100, 4) == 0
    assert table.add("g", 0x200, 0) == 1
    assert (table.names, table.sizes, table.at_entry(0x200)) == (["f", "g"], [8, 0], 1)

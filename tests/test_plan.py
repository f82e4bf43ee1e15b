"""The arena: nothing that is live at once overlaps, what may share does, and the size is exact."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.plan import Plan
from vtarget.logic.plan import plan_memory


def make_graph(
    sizes: list[int],
    operators: list[tuple[tuple[int, ...], tuple[int, ...]]],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    *,
    constants: frozenset[int] = frozenset(),
    variables: frozenset[int] = frozenset(),
) -> Graph:
    """Tensors of that many bytes; operators as (inputs, outputs)."""
    tensors = tuple(
        Tensor(i, f"t{i}", (n,), ElementType.INT8, None, bytes(n) if i in constants else None, i in variables)
        for i, n in enumerate(sizes)
    )
    ops = tuple(Operator(i, "ADD", read, written) for i, (read, written) in enumerate(operators))
    return Graph("m.tflite", "", "m", tensors, ops, inputs, outputs)


def layer(operator: int, *, in_place: tuple[int, ...] = (), scratch_bytes: int = 0) -> Layer:
    return Layer(operator, "k", "k();", in_place=in_place, scratch_bytes=scratch_bytes)


CHAIN = make_graph([64, 32, 48, 16], [((0,), (1,)), ((1,), (2,)), ((2,), (3,))], (0,), (3,))


def test_a_chain_takes_its_widest_pair() -> None:
    plan = plan_memory(CHAIN, [])
    assert plan.arena_bytes == plan.lower_bound_bytes == 96
    assert plan.offsets_bytes == {0: 0, 1: 64, 2: 0, 3: 48}
    assert [plan.lifetime(t) for t in range(4)] == [(0, 0), (0, 1), (1, 2), (2, 2)]


def test_scratch_lives_with_its_layer_only() -> None:
    plan = plan_memory(CHAIN, [layer(1, scratch_bytes=112)])
    assert plan.arena_bytes == plan.lower_bound_bytes == 32 + 48 + 112
    assert list(plan.scratch_offsets_bytes) == [1]
    scratch = next(a for a in plan.allocations if a.scratch)
    assert (scratch.first, scratch.last, scratch.size_bytes) == (1, 1, 112)


def test_in_place_layers_share_where_the_input_dies() -> None:
    graph = make_graph([64, 64, 64], [((0,), (1,)), ((1,), (2,))], (0,), (2,))
    plan = plan_memory(graph, [layer(0, in_place=(0,)), layer(1, in_place=(1,))])
    assert plan.arena_bytes == 64
    assert plan.in_place == {1: 0, 2: 1}
    assert plan.allocations[0].tensors == (0, 1, 2)


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (make_graph([8, 8, 8], [((0,), (1,)), ((0, 1), (2,))], (0,), (2,)), "the input is read later"),
        (make_graph([8, 8], [((0,), (1,))], (0,), (0, 1)), "the input is an output of the model"),
        (make_graph([8, 16], [((0,), (1,))], (0,), (1,)), "the output is larger"),
        (make_graph([8, 8], [((0,), (1,))], (), (1,), variables=frozenset({0})), "the input is a variable"),
        (make_graph([8, 8, 8], [((0,), (1, 2))], (0,), (1, 2)), "there are two outputs"),
        (make_graph([8, 8], [((0,), (1,))], (), (1,), constants=frozenset({0})), "the input is a constant"),
    ],
)
def test_in_place_layers_do_not_share_where(graph: Graph, why: str) -> None:
    plan = plan_memory(graph, [layer(0, in_place=(0,))])
    assert 1 not in plan.in_place, why


def test_sharing_that_costs_memory_is_left_out() -> None:
    # Sharing would hold 1024 bytes for the 16 that are needed to the end.
    graph = make_graph([1024, 16, 1024, 1024, 16], [((0,), (1,)), ((), (2,)), ((2,), (3,)), ((1, 3), (4,))], (0,), (4,))
    plan = plan_memory(graph, [layer(0, in_place=(0,))])
    assert plan.in_place == {}
    assert plan.arena_bytes == 16 + 2048


def test_variables_stay_and_constants_are_not_in_the_arena() -> None:
    graph = make_graph(
        [16, 32, 16, 16],
        [((0, 1), (2,)), ((2, 3), (3,))],
        (0,),
        (2,),
        constants=frozenset({1}),
        variables=frozenset({3}),
    )
    plan = plan_memory(graph, [])
    assert set(plan.offsets_bytes) == {0, 2, 3}
    assert plan.lifetime(3) == (0, 1)
    with pytest.raises(KeyError):
        plan.lifetime(1)


def test_an_unread_output_and_an_unread_input_have_a_place() -> None:
    graph = make_graph([16, 16, 16], [((0,), (2,))], (0, 1), ())
    plan = plan_memory(graph, [])
    assert plan.arena_bytes == 48


def test_nothing_takes_nothing() -> None:
    assert plan_memory(make_graph([], [], (), ()), []).arena_bytes == 0


def test_other_alignments() -> None:
    graph = make_graph([3, 3, 3], [((0, 1), (2,))], (0, 1), (2,))
    assert plan_memory(graph, [], alignment_bytes=1).arena_bytes == 9
    assert plan_memory(graph, [], alignment_bytes=64).arena_bytes == 131


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, list[Layer]]:
    """Random wiring with all that a plan must respect: several outputs, variables, constants, scratch, in-place."""
    inputs = draw(st.integers(1, 3))
    operators: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    layers = []
    count = inputs
    for place in range(draw(st.integers(1, 12))):
        read = tuple(draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=3)))
        written = tuple(range(count, count + draw(st.integers(1, 2))))
        count += len(written)
        operators.append((read, written))
        in_place = tuple(draw(st.lists(st.sampled_from(read), unique=True)))
        layers.append(layer(place, in_place=in_place, scratch_bytes=draw(st.sampled_from([0, 0, 1, 40]))))
    sizes = draw(st.lists(st.integers(1, 200), min_size=count, max_size=count))
    outputs = tuple(draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=3, unique=True)))
    fed = range(inputs)
    variables = frozenset(draw(st.lists(st.sampled_from(list(fed)), max_size=1)))
    constants = frozenset(draw(st.lists(st.sampled_from(list(fed)), max_size=1))) - variables
    graph_inputs = tuple(i for i in fed if i not in variables | constants)
    return make_graph(sizes, operators, graph_inputs, outputs, constants=constants, variables=variables), layers


def uses(graph: Graph, tensor: int) -> tuple[int, int]:
    """When a tensor holds something, told from the graph alone: -1 is before the first operator, n after the last."""
    written = [op.index for op in graph.operators if tensor in op.outputs]
    read = [op.index for op in graph.operators if tensor in op.inputs]
    if graph.tensors[tensor].variable:
        return -1, len(graph.operators)
    first = written[0] if written else -1
    return first, len(graph.operators) if tensor in graph.outputs else max([*read, *written, 0])


def executed(graph: Graph, layers: list[Layer], plan: Plan) -> None:
    """Runs the plan on a model of memory: every byte knows who wrote it last, and every reader finds its own."""
    memory: list[tuple[str, int] | None] = [None] * plan.arena_bytes

    def cells(tensor: int) -> range:
        offset = plan.offsets_bytes[tensor]
        return range(offset, offset + graph.tensors[tensor].size_bytes)

    def write(cells: range, owner: tuple[str, int]) -> None:
        for cell in cells:
            memory[cell] = owner

    def check(tensor: int) -> None:
        assert all(memory[cell] == ("tensor", tensor) for cell in cells(tensor))

    stored = [t.index for t in graph.tensors if t.variable and t.index in plan.offsets_bytes]
    for tensor in (*graph.inputs, *stored):
        write(cells(tensor), ("tensor", tensor))
    for op, made in zip(graph.operators, layers, strict=True):
        read = [tensor for tensor in op.inputs if tensor in plan.offsets_bytes]
        for tensor in read:
            check(tensor)
        if made.scratch_bytes:
            offset = plan.scratch_offsets_bytes[op.index]
            write(range(offset, offset + made.scratch_bytes), ("scratch", op.index))
        for tensor in read:
            check(tensor)
        for tensor in op.outputs:
            write(cells(tensor), ("tensor", tensor))
        for tensor in read:
            if plan.in_place.get(op.outputs[0]) != tensor:
                check(tensor)
    for tensor in (*graph.outputs, *stored):
        if tensor in plan.offsets_bytes:
            check(tensor)


@settings(max_examples=300, deadline=None)
@given(graphs(), st.sampled_from([1, 4, 16]))
def test_no_two_live_blocks_overlap(made: tuple[Graph, list[Layer]], alignment_bytes: int) -> None:
    graph, layers = made
    plan = plan_memory(graph, layers, alignment_bytes=alignment_bytes)
    for one, other in combinations(plan.allocations, 2):
        if one.first <= other.last and other.first <= one.last:
            assert one.end_bytes <= other.offset_bytes or other.end_bytes <= one.offset_bytes
    for tensor, offset in plan.offsets_bytes.items():
        assert offset % alignment_bytes == 0
        first, last = plan.lifetime(tensor)
        assert first <= max(uses(graph, tensor)[0], 0)
        assert last >= min(uses(graph, tensor)[1], len(graph.operators) - 1)
    assert all(offset % alignment_bytes == 0 for offset in plan.scratch_offsets_bytes.values())
    assert plan.arena_bytes == max(a.end_bytes for a in plan.allocations)
    rounded = sum(-(-a.size_bytes // alignment_bytes) * alignment_bytes for a in plan.allocations)
    assert plan.lower_bound_bytes <= plan.arena_bytes <= rounded
    executed(graph, layers, plan)


@settings(max_examples=50, deadline=None)
@given(graphs())
def test_sharing_never_costs(made: tuple[Graph, list[Layer]]) -> None:
    graph, layers = made
    without = [layer(made.operator, scratch_bytes=made.scratch_bytes) for made in layers]
    assert plan_memory(graph, layers).arena_bytes <= plan_memory(graph, without).arena_bytes

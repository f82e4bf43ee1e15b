"""Resource variables of a model file: which handles are the same variable, its shape, and its initial content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from vtarget.base.names import quoted
from vtarget.data.graph import NO_TENSOR, Operator
from vtarget.data.rawmodel import RawModel, RawSubgraph, RawTensor

Key = tuple[str, str]


@dataclass(frozen=True)
class Content:
    """What a variable is: a tensor like it, with its initial content as data (None: not given), and its name."""

    tensor: RawTensor
    name: str


@dataclass(frozen=True)
class Variables:
    """Resource variables of subgraph 0.

    ``contents`` are by the first handle (a tensor index), ``aliases`` lead from other handles to the first.
    ``operators`` are subgraph 0's, with first handles only, without CALL_ONCE and handles nobody uses, numbered anew.
    """

    contents: dict[int, Content] = field(default_factory=dict)
    aliases: dict[int, int] = field(default_factory=dict)
    operators: tuple[Operator, ...] = ()


def resolve_variables(raw: RawModel) -> tuple[Variables, list[str]]:
    """The resource variables of subgraph 0, and what is wrong with them."""
    main = raw.subgraphs[0]
    problems = [*_arity_problems(main)]
    if problems:
        made = (index for operator in main.operators if operator.op == "VAR_HANDLE" for index in operator.outputs)
        return Variables(aliases={index: index for index in made}), problems
    handles = _handles(main)
    first: dict[Key, int] = {}
    for handle, key in handles.items():
        first.setdefault(key, handle)
    initial = _initial(raw, problems)
    contents: dict[int, Content] = {}
    for key, handle in first.items():
        alike = [*_alike(main, handles, key), *initial.get(key, [])]
        if not alike:
            continue
        if len({(tensor.shape, tensor.type) for tensor in alike}) > 1:
            shown = sorted({f"{tensor.type} {list(tensor.shape)}" for tensor in alike})
            problems.append(f"variable {quoted(key[1])} is used as {' and '.join(shown)}")
            continue
        given = initial.get(key, [])
        like = replace(alike[0], data=given[-1].data if given else None, variable=False)
        contents[handle] = Content(like, key[1] or main.tensors[handle].name)
    aliases = {handle: first[key] for handle, key in handles.items() if handle not in contents}
    return Variables(contents, aliases, tuple(_renamed(main, contents, aliases))), problems


_ARITY = {"VAR_HANDLE": (0, 1), "READ_VARIABLE": (1, 1), "ASSIGN_VARIABLE": (2, 0)}


def _arity_problems(graph: RawSubgraph) -> Iterator[str]:
    handles = {operator.outputs[0] for operator in graph.operators if operator.op == "VAR_HANDLE" and operator.outputs}
    for operator in graph.operators:
        if operator.op not in _ARITY:
            continue
        place = f"operator {operator.index} {operator.op}"
        inputs, outputs = _ARITY[operator.op]
        if (len(operator.inputs), len(operator.outputs)) != (inputs, outputs) or NO_TENSOR in operator.inputs:
            yield f"{place}: takes {inputs} inputs and {outputs} outputs"
        elif inputs and operator.inputs[0] not in handles:
            yield f"{place}: its first input, tensor {operator.inputs[0]}, is no handle of a variable"


def _handles(graph: RawSubgraph) -> dict[int, Key]:
    """Handle (tensor index) -> what names its variable."""
    return {
        operator.outputs[0]: (str(operator.options["container"]), str(operator.options["shared_name"]))
        for operator in graph.operators
        if operator.op == "VAR_HANDLE"
    }


def _alike(graph: RawSubgraph, handles: dict[int, Key], key: Key) -> Iterator[RawTensor]:
    """What is read from and assigned to a variable."""
    for operator in graph.operators:
        if operator.op == "READ_VARIABLE" and handles[operator.inputs[0]] == key:
            yield graph.tensors[operator.outputs[0]]
        elif operator.op == "ASSIGN_VARIABLE" and handles[operator.inputs[0]] == key:
            yield graph.tensors[operator.inputs[1]]


def _initial(raw: RawModel, problems: list[str]) -> dict[Key, list[RawTensor]]:
    """The constants that CALL_ONCE assigns to each variable."""
    found: dict[Key, list[RawTensor]] = {}
    for operator in raw.subgraphs[0].operators:
        if operator.op != "CALL_ONCE":
            continue
        place, number = f"operator {operator.index} CALL_ONCE", operator.options["init_subgraph_index"]
        if not isinstance(number, int) or not 0 < number < len(raw.subgraphs):
            problems.append(f"{place}: there is no subgraph {number} to call")
            continue
        graph = raw.subgraphs[number]
        if not _only_assigns(graph):
            problems.append(f"{place}: subgraph {number} does more than assign constants to variables")
            continue
        handles = _handles(graph)
        for assign in graph.operators:
            if assign.op == "ASSIGN_VARIABLE":
                found.setdefault(handles[assign.inputs[0]], []).append(graph.tensors[assign.inputs[1]])
    return found


def _only_assigns(graph: RawSubgraph) -> bool:
    if any(operator.op not in ("VAR_HANDLE", "ASSIGN_VARIABLE") for operator in graph.operators):
        return False
    if any(_arity_problems(graph)):
        return False
    assigned = (operator.inputs[1] for operator in graph.operators if operator.op == "ASSIGN_VARIABLE")
    return all(graph.tensors[index].data is not None for index in assigned)


def _renamed(graph: RawSubgraph, contents: dict[int, Content], aliases: dict[int, int]) -> Iterator[Operator]:
    kept = (operator for operator in graph.operators if operator.op != "CALL_ONCE")
    used = (o for o in kept if o.op != "VAR_HANDLE" or aliases.get(o.outputs[0], o.outputs[0]) in contents)
    for index, operator in enumerate(used):
        inputs = tuple(aliases.get(tensor, tensor) for tensor in operator.inputs)
        outputs = tuple(aliases.get(tensor, tensor) for tensor in operator.outputs)
        yield replace(operator, index=index, inputs=inputs, outputs=outputs)

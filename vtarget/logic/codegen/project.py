"""The C of a whole model: its layers in order, its tensors in an arena, its constants, and a firmware around them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vtarget.base.names import safe_comment, safe_identifier
from vtarget.data.board import Board
from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Tensor
from vtarget.data.plan import Placement, Plan
from vtarget.logic.codegen.constants import C_TYPES, fill, tensor_constant
from vtarget.logic.codegen.templates import render
from vtarget.logic.codegen.weightstext import UniqueConstants, constant_text, float_text, unique_constants
from vtarget.logic.linkerscript import copies_weights, linker_script

_NAME = re.compile(r"\b[A-Za-z_]\w*\b")
_LINE = 116
LINKER_SCRIPT = "board/board.ld"


@dataclass(frozen=True)
class Port:
    """An input or output of the model for ``model.h``; texts are ready for C."""

    role: str
    number: int
    name: str
    macro: str
    c_type: str
    elements: int
    size_bytes: int
    dims: int
    shape: str
    shape_text: str
    scale: str | None
    zero_point: int


@dataclass(frozen=True)
class LayerText:
    """A layer as C: its function and what stands before it."""

    index: int
    title: str
    function: str
    declarations: str
    body: str


@dataclass(frozen=True)
class _Variable:
    index: int
    size_bytes: int
    initial: str | None


@dataclass(frozen=True)
class _Direction:
    name: str
    pointers: tuple[str, ...]


def generate_project(
    graph: Graph,
    layers: Sequence[Layer],
    plan: Plan,
    placement: Placement,
    board: Board,
    *,
    spans: bool,
    known: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Everything of a firmware that depends on the model or the board: path in the project to text.

    The library is in ``model/``, ``main.c`` and the linker script ``board.ld`` are in ``board/``, with ``placement.c``
    where weights are to be copied to memory first. With ``spans`` the firmware calls ``vt_span_begin(index)`` and
    ``vt_span_end(index)`` around each layer. Kernels and startup code are not in it. ``known`` are the texts that don't
    depend on the board, if there are any yet.
    """
    sources = model_sources(graph, layers, plan, spans=spans) if known is None else known
    files = {f"{'board' if name in ('main.c', 'spans.h') else 'model'}/{name}": text for name, text in sources.items()}
    weights, arena = placement.weights_region, placement.arena_region
    files[LINKER_SCRIPT] = linker_script(board, data=placement.data_region, weights=weights, arena=arena)
    if copies_weights(board, weights):
        files["board/placement.c"] = render("placement.c", region=weights)
    return files


def layer_function(layer: Layer, graph: Graph) -> str:
    """The name of the C function that is this layer (``layer_03_conv_2d``)."""
    op = safe_identifier(graph.operators[layer.operator].op.lower())
    return f"layer_{layer.operator:02d}_{op}"


def model_sources(graph: Graph, layers: Sequence[Layer], plan: Plan, *, spans: bool) -> dict[str, str]:
    """``model.h``, ``model.c``, ``weights.h``, ``weights.c``, ``main.c`` and, with ``spans``, ``spans.h``, by name.

    The texts don't depend on the board: sections decide where things lie, and the linker script where sections do.
    With ``spans`` the firmware calls ``vt_span_begin(index)`` and ``vt_span_end(index)`` around each layer.
    """
    loose, unique = _loose_constants(graph, layers), model_constants(graph, layers, plan)
    pointers = {index: f"TENSOR_{index}" for index in plan.offsets_bytes}
    pointers |= {index: f"((void *)(uintptr_t){unique.names[c.name]})" for index, c in loose.items()}
    values: dict[str, object] = {
        "title": model_title(graph),
        "model_file": safe_comment(file_name(graph)),
        "sha256": graph.sha256,
        "spans": spans,
        "arena_bytes": max(plan.arena_bytes, 1),
        "arena_alignment": plan.alignment_bytes,
        "inputs": [_port("input", n, graph.tensors[i]) for n, i in enumerate(graph.inputs)],
        "outputs": [_port("output", n, graph.tensors[i]) for n, i in enumerate(graph.outputs)],
        "headers": headers_of(layers),
        "tensors": [_tensor(graph.tensors[i], offset) for i, offset in sorted(plan.offsets_bytes.items())],
        "layers": [_layer(layer, graph, plan, pointers, unique.names) for layer in layers],
        "variables": [_variable(t, unique.names) for t in _variables(graph, plan)],
        "has_variables": bool(_variables(graph, plan)),
        "directions": [
            _Direction("input", tuple(pointers[i] for i in graph.inputs)),
            _Direction("output", tuple(pointers[i] for i in graph.outputs)),
        ],
        "constants": [constant_text(constant) for constant in unique.constants],
    }
    names = ("model.h", "model.c", "weights.h", "weights.c", "main.c", *(("spans.h",) if spans else ()))
    return {name: render(name, **values) for name in names}


def model_constants(graph: Graph, layers: Sequence[Layer], plan: Plan) -> UniqueConstants:
    """Every constant array of the firmware under its name there, equal ones once."""
    of_layers = [constant for layer in layers for constant in _named(layer, graph)]
    loose = _loose_constants(graph, layers).values()
    return unique_constants([*of_layers, *loose, *_initial_values(graph, plan)])


def weights_bytes(graph: Graph, layers: Sequence[Layer], plan: Plan) -> int:
    """Bytes of all constant arrays: weights, tables and what variables start with."""
    constants = model_constants(graph, layers, plan).constants
    return sum(-(-len(c.values) // c.alignment_bytes) * c.alignment_bytes for c in constants)


def headers_of(layers: Iterable[Layer]) -> list[str]:
    """The kernels' headers that the layers need, sorted."""
    return sorted({f"{source.removesuffix('.c')}.h" for layer in layers for source in layer.sources})


def model_title(graph: Graph) -> str:
    """What to call the model in texts: its own name, else its file's; safe in comments."""
    return safe_comment(graph.name or file_name(graph).removesuffix(".tflite")) or "model"


def file_name(graph: Graph) -> str:
    """The last part of the model file's path."""
    return graph.path.replace("\\", "/").rpartition("/")[2]


def _named(layer: Layer, graph: Graph) -> list[Constant]:
    """The layer's constants under the names they have in the firmware."""
    prefix = layer_function(layer, graph)
    return [replace(constant, name=fill(constant.name, prefix, _no_tensor)) for constant in layer.constants]


def _no_tensor(index: int) -> str:
    raise AssertionError(f"the name of a constant speaks of tensor {index}")


def _loose_constants(graph: Graph, layers: Sequence[Layer]) -> dict[int, Constant]:
    """Constant tensors that are needed as they are: outputs of the model, and what calls speak of directly."""
    spoken = {int(n) for layer in layers for n in re.findall(r"\{tensor_(\d+)\}", layer.call + layer.declarations)}
    wanted = [i for i in sorted({*spoken, *graph.inputs, *graph.outputs}) if graph.tensors[i].constant]
    return {i: replace(tensor_constant("", graph.tensors[i]), name=f"tensor_{i}_data") for i in wanted}


def _variables(graph: Graph, plan: Plan) -> list[Tensor]:
    return [t for t in graph.tensors if t.variable and t.index in plan.offsets_bytes and t.size_bytes]


def _initial_values(graph: Graph, plan: Plan) -> list[Constant]:
    with_data = [t for t in _variables(graph, plan) if t.data is not None and any(t.data)]
    return [Constant(f"variable_{t.index}_initial", C_TYPES[t.type], t.data or b"", t.index) for t in with_data]


def _variable(tensor: Tensor, names: Mapping[str, str]) -> _Variable:
    return _Variable(tensor.index, tensor.size_bytes, names.get(f"variable_{tensor.index}_initial"))


def _port(direction: str, number: int, tensor: Tensor) -> Port:
    quantised = tensor.quantisation if tensor.type is not ElementType.FLOAT32 else None
    single = quantised is not None and len(quantised.scales) == 1
    return Port(
        role=direction.capitalize(),
        number=number,
        name=safe_comment(tensor.name),
        macro=f"MODEL_{direction.upper()}_{number}",
        c_type=C_TYPES[tensor.type],
        elements=tensor.elements,
        size_bytes=tensor.size_bytes,
        dims=len(tensor.shape),
        shape="{" + ", ".join(map(str, tensor.shape)) + "}",
        shape_text=str(list(tensor.shape)),
        scale=float_text(quantised.scales[0]) if quantised is not None and single else None,
        zero_point=quantised.zero_points[0] if quantised is not None and single and quantised.zero_points else 0,
    )


def _tensor(tensor: Tensor, offset: int) -> dict[str, object]:
    return {
        "index": tensor.index,
        "offset": offset,
        "type": tensor.type.value,
        "shape": list(tensor.shape),
        "name": safe_comment(tensor.name),
    }


def _layer(layer: Layer, graph: Graph, plan: Plan, pointers: Mapping[int, str], names: Mapping[str, str]) -> LayerText:
    function = layer_function(layer, graph)
    scratch = f"AT({plan.scratch_offsets_bytes[layer.operator]})" if layer.scratch_bytes else "NULL"

    def filled(text: str) -> str:
        whole = fill(text, function, lambda index: pointers[index], scratch)
        return _NAME.sub(lambda match: names.get(match[0], match[0]), whole)

    declarations = filled(layer.declarations)
    return LayerText(
        index=layer.operator,
        title=_layer_title(layer, graph),
        function=function,
        declarations=f"{declarations.rstrip()}\n\n" if declarations.strip() else "",
        body="".join(_statement(line) for line in filled(layer.call).splitlines() if line.strip()),
    )


def _layer_title(layer: Layer, graph: Graph) -> str:
    operator = graph.operators[layer.operator]
    inputs = [t for i in range(len(operator.inputs)) if (t := graph.input(operator, i)) is not None and not t.constant]
    outputs = [graph.output(operator, i) for i in range(len(operator.outputs))]
    shapes = f"{_shapes(inputs)} -> {_shapes(outputs)}"
    macs = f", {layer.macs} multiply-accumulates" if layer.macs else ""
    name = f' "{safe_comment(outputs[0].name)}"' if outputs and outputs[0].name else ""
    return f"Layer {layer.operator}, {safe_comment(operator.op)}{name}: {shapes}{macs}."


def _shapes(tensors: Iterable[Tensor]) -> str:
    return ", ".join(f"{t.type.value} {list(t.shape)}" for t in tensors) or "nothing"


def _statement(line: str) -> str:
    """A line of a call, indented and wrapped between words."""
    indent = " " * (4 + len(line) - len(line.lstrip()))
    wrapped = textwrap.wrap(
        line.strip(),
        _LINE,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(wrapped) + "\n"

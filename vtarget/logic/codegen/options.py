"""Reading an operator's options as the types they have, and the checks that many operators share."""

from __future__ import annotations

from collections.abc import Collection

from vtarget.data.graph import ElementType, Graph, Operator, Quantisation, Tensor

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")


def integer(operator: Operator, name: str, default: int = 0) -> int:
    """An integer option."""
    value = operator.options.get(name, default)
    assert isinstance(value, int)
    return int(value)


def flag(operator: Operator, name: str, default: bool = False) -> bool:
    """A boolean option."""
    return bool(operator.options.get(name, default))


def number(operator: Operator, name: str, default: float = 0.0) -> float:
    """A floating-point option."""
    value = operator.options.get(name, default)
    assert isinstance(value, int | float)
    return float(value)


def text(operator: Operator, name: str, default: str) -> str:
    """An option that is one of several names."""
    return str(operator.options.get(name, default))


def activation(operator: Operator) -> str:
    """The fused activation's name."""
    return text(operator, "fused_activation_function", "NONE")


def required_input(graph: Graph, operator: Operator, position: int) -> Tensor:
    """An input that ``check`` has found to be there."""
    tensor = graph.input(operator, position)
    assert tensor is not None
    return tensor


def quantisation(tensor: Tensor) -> Quantisation:
    """The quantisation that ``check`` has found to be there."""
    assert tensor.quantisation is not None
    return tensor.quantisation


def scale(tensor: Tensor) -> float:
    """A per-tensor scale (a float32 value)."""
    return quantisation(tensor).scales[0]


def zero_point(tensor: Tensor) -> int:
    """A per-tensor zero point, 0 for a tensor without quantisation."""
    return tensor.quantisation.zero_points[0] if tensor.quantisation and tensor.quantisation.zero_points else 0


def arity_problem(operator: Operator, inputs: Collection[int], outputs: int = 1) -> str | None:
    """The number of inputs must be one of ``inputs``, that of outputs ``outputs``."""
    if len(operator.inputs) not in inputs:
        return f"it has {len(operator.inputs)} inputs"
    if len(operator.outputs) != outputs:
        return f"it has {len(operator.outputs)} outputs"
    return None


def activation_problem(operator: Operator) -> str | None:
    """The fused activation must be one that TensorFlow Lite's kernels know."""
    name = activation(operator)
    return None if name in ACTIVATIONS else f"fused activation {name} isn't supported"


def scales_problem(tensor: Tensor, role: str, *, per_channel: bool = False) -> str | None:
    """An integer tensor must have a positive finite scale, one only unless ``per_channel``."""
    found = tensor.quantisation
    if found is None or not found.scales:
        return f"{role} has no quantisation"
    if found.per_channel and not per_channel:
        return f"{role} is quantised per channel"
    if len(found.zero_points) != len(found.scales):
        return f"{role} has {len(found.zero_points)} zero points for {len(found.scales)} scales"
    if not all(0.0 < value < float("inf") for value in found.scales):
        return f"{role} has a scale that isn't positive"
    return zero_points_problem(tensor, found, role)


def zero_points_problem(tensor: Tensor, found: Quantisation, role: str) -> str | None:
    """Zero points must be values of the tensor's type; 0 for int16."""
    bits = 8 * tensor.type.size_bytes
    low, high = (0, 255) if tensor.type is ElementType.UINT8 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    if not all(low <= value <= high for value in found.zero_points):
        return f"{role} has a zero point outside its type"
    if tensor.type is ElementType.INT16 and any(found.zero_points):
        return f"{role} is int16 with a zero point other than 0"
    return None


def same_quantisation_problem(source: Tensor, output: Tensor) -> str | None:
    """Integer tensors must have one and the same scale and zero point; float tensors need none."""
    if source.type is ElementType.FLOAT32:
        return None
    problem = scales_problem(source, "input") or scales_problem(output, "output")
    if problem is None and (scale(source), zero_point(source)) != (scale(output), zero_point(output)):
        return "input and output are quantised differently"
    return problem


def type_problem(tensor: Tensor, role: str, types: Collection[ElementType]) -> str | None:
    """The tensor's type must be one of ``types``."""
    return None if tensor.type in types else f"{role} has type {tensor.type.value}"


def shape_problem(tensor: Tensor, role: str, shape: tuple[int, ...]) -> str | None:
    """The tensor's shape must be ``shape``."""
    return None if tensor.shape == shape else f"{role} has shape {list(tensor.shape)}, not {list(shape)}"


def fallback_notes(engine: str, why: str) -> tuple[str, ...]:
    """The note of a layer for which ``engine`` has no kernel of its own; none for the reference engine."""
    return () if engine == "reference" else (f"no fast kernel for {why}: reference kernel used",)

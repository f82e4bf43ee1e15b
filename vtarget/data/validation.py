"""What comparing a firmware's tensors with a reference's says, and what quantisation cost a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """How far apart values may be: ``steps`` of an integer type (0: bit-exact), or, in float32, ``relative`` times the
    largest magnitude that the reference has in the tensor."""

    steps: int = 0
    relative: float = 1e-5


@dataclass(frozen=True)
class TensorComparison:
    """One tensor over all samples. Differences are in the tensor's own unit: quantised steps for integers.

    ``differing`` elements aren't equal (NaN equals NaN); ``not_finite`` ones are infinite or NaN in one place only and
    count in no other metric. ``cosine`` and ``sqnr_db`` are of real values (zero point taken off): the cosine of the
    angle, None where either is all zeros, and 10 log10 (signal power / error power), None where that has no value
    (no error, or no signal).
    """

    tensor: int
    name: str
    shape: tuple[int, ...]
    type: str
    elements: int
    differing: int
    not_finite: int
    max_abs_diff: float
    mean_abs_diff: float
    rmse: float
    cosine: float | None
    sqnr_db: float | None
    within: bool

    @property
    def bit_exact(self) -> bool:
        """Whether all elements are equal."""
        return self.differing == 0


@dataclass(frozen=True)
class LayerComparison:
    """The outputs of one operator; none if the reference has no content for them."""

    index: int
    op: str
    outputs: tuple[TensorComparison, ...]

    @property
    def bit_exact(self) -> bool:
        """Whether all of its outputs are."""
        return all(output.bit_exact for output in self.outputs)

    @property
    def within(self) -> bool:
        """Whether all of its outputs are within their tolerance."""
        return all(output.within for output in self.outputs)


@dataclass(frozen=True)
class Validation:
    """A firmware against ``reference`` (name and version), over ``samples`` calls of the model.

    ``crc32`` is of the firmware's outputs, sample by sample, in eight hexadecimal digits. The inputs of ``unjudged``
    layers (by index) differ for a reason that lies in the reference, so that nothing can be said about them.
    """

    reference: str
    samples: int
    outputs: tuple[TensorComparison, ...]
    layers: tuple[LayerComparison, ...]
    crc32: str
    unjudged: tuple[int, ...] = ()

    @property
    def first_diverging(self) -> LayerComparison | None:
        """The first layer that isn't within its tolerance."""
        return next((layer for layer in self.layers if not layer.within), None)

    @property
    def passed(self) -> bool:
        """Whether all layers and outputs are within their tolerance."""
        return self.first_diverging is None and all(output.within for output in self.outputs)

    @property
    def bit_exact(self) -> bool:
        """Whether all layers and outputs are equal."""
        return all(layer.bit_exact for layer in self.layers) and all(output.bit_exact for output in self.outputs)

    @property
    def max_abs_diff(self) -> float:
        """The largest difference of an output."""
        return max((output.max_abs_diff for output in self.outputs), default=0.0)


@dataclass(frozen=True)
class Accuracy:
    """The share of samples that each of the three gets right."""

    samples: int
    float_model: float
    quantised_model: float
    firmware: float


@dataclass(frozen=True)
class Agreement:
    """The share of samples to which both of a pair give the same answer."""

    quantised_and_float: float
    firmware_and_float: float
    firmware_and_quantised: float


@dataclass(frozen=True)
class LayerLoss:
    """How well a layer of the quantised model, and of the firmware, does what the float model does.

    ``index`` is the operator of the quantised model. An SQNR of None says that there is no error, or no signal.
    """

    index: int
    op: str
    name: str
    quantised_sqnr_db: float | None
    firmware_sqnr_db: float | None


@dataclass(frozen=True)
class QuantisationTable:
    """Float model, quantised model and firmware side by side: quantisation loss is between the first two, kernel bugs
    are between the last two.

    ``accuracy`` and ``classes`` (class, accuracy on its samples) need labels; ``agreement`` needs a model whose answer
    is a class. ``layers`` come worst first, those without a value last.
    """

    samples: int
    accuracy: Accuracy | None
    classes: tuple[tuple[int, Accuracy], ...]
    agreement: Agreement | None
    quantised_sqnr_db: float | None
    firmware_sqnr_db: float | None
    layers: tuple[LayerLoss, ...]

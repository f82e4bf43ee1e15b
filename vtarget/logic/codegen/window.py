"""The geometry of a filter or pooling window that slides over an image (NHWC)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from vtarget.data.graph import Operator
from vtarget.logic.codegen.constants import FieldValue
from vtarget.logic.codegen.options import integer, text

# Products of sizes must stay far from the end of int32.
LARGEST_SIZE = 1 << 24


@dataclass(frozen=True)
class Window:
    """Sizes in elements; the fields are those of the C structure ``vt_window``. Padding is that before the image."""

    batches: int
    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    filter_h: int
    filter_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    pad_h: int
    pad_w: int

    def fields(self) -> dict[str, FieldValue]:
        """The fields by name."""
        return asdict(self)


def output_size(padding: str, size: int, window: int, stride: int, dilation: int = 1) -> int:
    """How many windows fit along one axis (TensorFlow's GetWindowedOutputSize); 0 or less if none does."""
    if padding == "SAME":
        return (size + stride - 1) // stride
    return (size + stride - ((window - 1) * dilation + 1)) // stride


def padding_before(size: int, window: int, stride: int, dilation: int, out: int) -> int:
    """The padding before the first element along one axis, the smaller half of all."""
    return max(0, (out - 1) * stride + (window - 1) * dilation + 1 - size) // 2


def window_problem(
    operator: Operator, image: tuple[int, ...], filter_size: tuple[int, int], channels: int, output: tuple[int, ...]
) -> str | None:
    """Strides, dilations and padding must make sense, and ``output`` must be the shape that follows from them."""
    strides = integer(operator, "stride_h", 1), integer(operator, "stride_w", 1)
    dilations = integer(operator, "dilation_h_factor", 1), integer(operator, "dilation_w_factor", 1)
    padding = text(operator, "padding", "SAME")
    if min(*strides, *dilations, *filter_size) < 1 or max(*strides, *dilations, *filter_size) > LARGEST_SIZE:
        return "its stride, dilation or window isn't positive and reasonable"
    if padding not in ("SAME", "VALID"):
        return f"padding {padding} isn't supported"
    if max(*image, *output) > LARGEST_SIZE or min(*image) < 1:
        return f"input shape {list(image)} can't be handled"
    rows, columns = (output_size(padding, image[1 + a], filter_size[a], strides[a], dilations[a]) for a in (0, 1))
    expected = (image[0], rows, columns, channels)
    if output != expected or min(expected) < 1:
        return f"output shape {list(output)} doesn't follow from its input and options, which give {list(expected)}"
    return None


def window_of(
    operator: Operator, image: tuple[int, ...], filter_size: tuple[int, int], output: tuple[int, ...]
) -> Window:
    """The geometry of an operator that passed ``window_problem``."""
    stride_h, stride_w = integer(operator, "stride_h", 1), integer(operator, "stride_w", 1)
    dilation_h, dilation_w = integer(operator, "dilation_h_factor", 1), integer(operator, "dilation_w_factor", 1)
    batches, in_h, in_w, in_c = image
    _, out_h, out_w, out_c = output
    filter_h, filter_w = filter_size
    return Window(
        batches=batches,
        in_h=in_h,
        in_w=in_w,
        in_c=in_c,
        out_h=out_h,
        out_w=out_w,
        out_c=out_c,
        filter_h=filter_h,
        filter_w=filter_w,
        stride_h=stride_h,
        stride_w=stride_w,
        dilation_h=dilation_h,
        dilation_w=dilation_w,
        pad_h=padding_before(in_h, filter_h, stride_h, dilation_h, out_h),
        pad_w=padding_before(in_w, filter_w, stride_w, dilation_w, out_w),
    )

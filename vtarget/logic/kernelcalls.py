"""Which known kernels a run called in each inference, and in what order: from the spans of its record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean
from vtarget.data.kernelcall import Inference, KernelCall
from vtarget.data.record import ExecutionRecord, SpanFacts
from vtarget.logic.recognise import is_inference, known_kernel

MOST_INNER = 16


@dataclass(frozen=True)
class _Call:
    span: SpanFacts
    inner: tuple[_Call, ...]


def inference_marks(record: ExecutionRecord, function: str | None = None) -> frozenset[str]:
    """The functions whose calls may be inferences in a record that was made to be mapped to a model: ``function``, if
    it is given; else those that are known by their names, or the one with spans that is no kernel. Empty: none is.

    InputError if the record doesn't say what each call of the function, or of any known kernel, took.
    """
    names = tuple(dict.fromkeys(span.name for span in record.spans))
    functions = {function.name for function in record.functions}
    if function is not None:
        if function not in names:
            hint = did_you_mean(function, names)
            raise InputError(f"--input-at: the record doesn't say what each call of {function} took", hint=hint)
        return frozenset({function})
    if all(known_kernel(name) is None for name in names):
        raise InputError(
            "the record doesn't say what each call of a kernel took, so that none can be mapped to the model",
            hint="'vtarget run FIRMWARE --model MODEL.tflite --record FILE' makes one that does",
        )
    known = frozenset(name for name in names if is_inference(name))
    others = [name for name in names if known_kernel(name) is None and name in functions]
    return known or frozenset(others if len(others) == 1 else ())


def inferences(record: ExecutionRecord, marks: frozenset[str]) -> tuple[str | None, tuple[Inference, ...]]:
    """The function of ``marks`` that was called first, and its calls in order with the kernels that each called; None
    and the whole run as one inference if none was called. Of kernels that call each other the outermost counts.

    InputError for a record of an older version, which doesn't tell when its spans were.
    """
    spans = [span for span in record.spans if span.name in marks or known_kernel(span.name) is not None]
    if any(span.begin_cycle < 0 for span in spans):
        raise InputError("the record is of an older version, and doesn't tell in what order kernels were called")
    roots = _nested(spans)
    mark = next((call.span.name for call in _flat(roots) if call.span.name in marks), None)
    if mark is None:
        return None, (Inference(None, _kernels(roots, marks)),)
    marked = [call for call in _flat(roots) if call.span.name == mark]
    return mark, tuple(Inference(call.span.index, _kernels(call.inner, marks)) for call in marked)


def _nested(spans: Iterable[SpanFacts]) -> tuple[_Call, ...]:
    """Spans, which stand in the order of their ends, within each other."""
    open_: list[_Call] = []
    for span in spans:
        at = len(open_)
        while at and open_[at - 1].span.begin_cycle >= span.begin_cycle:
            at -= 1
        open_[at:] = [_Call(span, tuple(open_[at:]))]
    return tuple(open_)


def _flat(calls: Sequence[_Call]) -> Iterator[_Call]:
    """All calls in the order of their begins."""
    waiting = list(reversed(calls))
    while waiting:
        call = waiting.pop()
        yield call
        waiting += reversed(call.inner)


def _kernels(calls: Sequence[_Call], marks: frozenset[str]) -> tuple[KernelCall, ...]:
    """The outermost kernels among ``calls`` and what these call."""
    found = []
    waiting = list(reversed(calls))
    while waiting:
        call = waiting.pop()
        if call.span.name in marks:
            waiting += reversed(call.inner)
            continue
        inner = [below.span.name for below in _flat(call.inner) if below.span.name not in marks]
        found.append(KernelCall(call.span.name, call.span.index, tuple(inner[:MOST_INNER])))
    return tuple(found)

"""Reference kernels with state against TensorFlow Lite's, over several calls: SVDF and LSTM."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from heavycases import SequenceCase, interpreters_outputs, largest_difference, lstm, our_outputs, svdf
from hostkernels import HostModel
from opcases import FLOAT_TOLERANCE, build_cases

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert not found")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc not found")

SVDFS = [
    case
    for type_ in ("int8", "float32")
    for case in (
        svdf(type_),
        svdf(type_, batches=2),
        svdf(type_, rank=2),
        svdf(type_, memory=1),
        svdf(type_, bias=False),
        svdf(type_, inputs=16, units=8, memory=10),
    )
]
SVDFS += [svdf("float32", activation=activation) for activation in ("NONE", "RELU6")]
LSTMS = [
    lstm("float32"),
    lstm("float32", batches=2),
    lstm("float32", batches=2, time_major=True),
    lstm("float32", cell_clip=0.3),
    lstm("float32", steps=12),
    lstm("float32", steps=10, inputs=1, units=20),
]
CASES = [*SVDFS, *LSTMS]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HostModel]:
    return build_cases(CASES, tmp_path_factory.mktemp("sequence"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_the_interpreter(case: SequenceCase, hosts: dict[str, HostModel]) -> None:
    difference = largest_difference(our_outputs(case, hosts[str(case)]), interpreters_outputs(case))
    assert difference <= (FLOAT_TOLERANCE if case.outputs[0].type == "float32" else 0)


@pytest.mark.parametrize("case", [svdf("int8"), lstm("float32")], ids=str)
def test_state_matters(case: SequenceCase, hosts: dict[str, HostModel]) -> None:
    host, (first, second, _) = hosts[str(case)], case.samples(3, 5)
    state: dict[int, np.ndarray] = {}
    host.run(first, state)
    assert host.run(second, state)[0].tobytes() != host.run(second)[0].tobytes()


def test_multiply_accumulates_are_those_of_the_definition(hosts: dict[str, HostModel]) -> None:
    assert hosts[str(svdf("int8", rank=2))].layers[0].macs == 8 * (6 + 5)
    assert hosts[str(lstm("float32", batches=2))].layers[0].macs == 2 * 4 * 4 * 6 * (5 + 6)

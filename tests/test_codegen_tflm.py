"""Reference kernels against recorded outputs of TensorFlow Lite Micro, where it alone decides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from zlib import crc32

import pytest
from heavycases import interpreters_outputs, largest_difference, our_outputs
from hostkernels import HostModel
from opcases import OpCase, build_cases
from tflmcases import AGREED, CASES, SEQUENCES

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert not found")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc not found")

RECORDED = json.loads(Path(__file__).with_name("tflm_outputs.json").read_text(encoding="utf-8"))
ALL = [*CASES, *AGREED]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HostModel]:
    return build_cases(ALL, tmp_path_factory.mktemp("tflm"))


def test_every_case_is_recorded() -> None:
    assert sorted(RECORDED) == sorted(map(str, ALL))


@pytest.mark.parametrize("case", ALL, ids=str)
def test_equals_tensorflow_lite_micro(case: OpCase, hosts: dict[str, HostModel]) -> None:
    outputs = our_outputs(case, hosts[str(case)])
    assert crc32(b"".join(output.tobytes() for output in outputs)) == RECORDED[str(case)]
    assert len({value for output in outputs for value in output.ravel().tolist()}) > 1


@pytest.mark.parametrize("case", [case for case in SEQUENCES if case.outputs[0].type == "int8"], ids=str)
def test_the_interpreters_lstm_is_within_two_steps(case: OpCase, hosts: dict[str, HostModel]) -> None:
    assert largest_difference(our_outputs(case, hosts[str(case)]), interpreters_outputs(case)) <= 2


def test_differing_arithmetic_is_said(hosts: dict[str, HostModel]) -> None:
    noted = {case.op for case in ALL for layer in hosts[str(case)].layers if layer.notes}
    assert noted == {"SUM", "UNIDIRECTIONAL_SEQUENCE_LSTM"}

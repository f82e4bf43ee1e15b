"""The three-way comparison of a float model, its quantised twin and the firmware."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from firmwarelib import needs_compiler
from machinelib import vtarget

from vtarget.data.validation import Accuracy, Agreement, LayerLoss, QuantisationTable
from vtarget.logic.quantisationreport import accuracy_rows, agreement_line, layer_rows, quantisation_json

MODELS = Path(__file__).resolve().parent.parent / "models"
KEYWORDS = ("profile", MODELS / "kws_dscnn.tflite", "-b", "nucleo-l4r5zi")
TABLE = QuantisationTable(
    samples=4,
    accuracy=Accuracy(4, 1.0, 0.75, 0.75),
    classes=((0, Accuracy(3, 1.0, 1.0, 1.0)), (7, Accuracy(1, 1.0, 0.0, 0.0))),
    agreement=Agreement(0.75, 0.75, 1.0),
    quantised_sqnr_db=31.0,
    firmware_sqnr_db=31.0,
    layers=(LayerLoss(3, "CONV_2D", "a" * 50 + ";b", 20.04, 20.04), LayerLoss(0, "RELU", "r;s", None, None)),
)


def test_rows_and_lines_have_literal_texts() -> None:
    assert accuracy_rows(TABLE) == [
        ("all", "4", "100.0 %", "75.0 %", "75.0 %"),
        ("0", "3", "100.0 %", "100.0 %", "100.0 %"),
        ("7", "1", "100.0 %", "0.0 %", "0.0 %"),
    ]
    assert layer_rows(TABLE) == [
        ("3", "CONV_2D", "…" + "a" * 39, "20.0 dB", "20.0 dB"),
        ("0", "RELU", "r", "-", "-"),
    ]
    assert agreement_line(TABLE) == (
        "same answer: quantised and float 75.0 %, firmware and float 75.0 %, firmware and quantised 100.0 %"
    )
    assert quantisation_json(TABLE)["classes"][1] == {
        "class": 7,
        "samples": 1,
        "float_model": 1.0,
        "quantised_model": 0.0,
        "firmware": 0.0,
    }


@needs_compiler
def test_the_keyword_model_loses_little_and_the_firmware_nothing_more() -> None:
    options = ("--float", MODELS / "kws_dscnn_float.tflite", "--input", MODELS / "kws_samples.npz", "--samples", "24")
    result = vtarget(*KEYWORDS, *options, "--json", "-")
    assert (result.code, result.err) == (0, "")
    table = json.loads(result.out)["quantisation"]
    assert table["samples"] == 24
    assert table["agreement"]["firmware_and_quantised"] == 1.0
    assert table["accuracy"]["firmware"] == table["accuracy"]["quantised_model"] >= 0.9
    assert len(table["layers"]) == 12
    assert all(layer["firmware_sqnr_db"] > 25 for layer in table["layers"])


@needs_compiler
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--float", MODELS / "ic_resnet8_float.tflite"), "shape [1, 32, 32, 3] where"),
        (("--float", MODELS / "kws_dscnn.tflite"), "are not float32 but int8"),
        (("--float", MODELS / "none.tflite"), "none.tflite: "),
        (("--float", MODELS / "kws_dscnn_float.tflite", "--no-validate"), "--float needs the interpreter"),
        (("--float", MODELS / "kws_dscnn_float.tflite", "--labels", "none.txt"), "none.txt: can't read labels"),
    ],
)
def test_misuse_is_one_line(options: tuple[object, ...], message: str) -> None:
    result = vtarget(*KEYWORDS, *(str(option) for option in options))
    assert result.code == 2
    assert result.err.startswith("error: ") and result.err.count("\n") == 1
    assert message in result.err

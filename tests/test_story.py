"""The story: a speech model is slow, and one command names the two operators that make it so, and why."""

from __future__ import annotations

import json
from pathlib import Path

from firmwarelib import needs_compiler
from machinelib import vtarget

MODEL = Path(__file__).resolve().parent.parent / "models" / "speech_synth_int16.tflite"


@needs_compiler
def test_two_transpose_convolutions_of_sixty_operators_take_most_of_the_time() -> None:
    result = vtarget("profile", MODEL, "-b", "nucleo-l4r5zi", "--json", "-")
    assert (result.code, result.err) == (0, "")
    layers = json.loads(result.out)["layers"]
    assert len(layers) >= 60
    slowest = sorted(layers, key=lambda layer: -layer["cycles"])[:2]
    assert [layer["op"] for layer in slowest] == ["TRANSPOSE_CONV", "TRANSPOSE_CONV"]
    assert sum(layer["share"] for layer in slowest) > 0.5
    for layer in slowest:
        assert "no fast kernel for int16 TRANSPOSE_CONV: reference kernel used" in layer["notes"]
        assert layer["reason"].endswith(
            "% of the cycles: no fast kernel for int16 TRANSPOSE_CONV: reference kernel used"
        )
    assert not any(layer["reason"] for layer in layers if layer not in slowest)


@needs_compiler
def test_the_command_prints_them_under_why() -> None:
    out = vtarget("profile", MODEL, "-b", "nucleo-l4r5zi").out
    why = out[out.index("\nwhy\n") :].split("\n\n")[0].splitlines()[2:]
    assert len(why) == 2
    assert all("TRANSPOSE_CONV" in line and "no fast kernel" in line for line in why)

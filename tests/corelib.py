"""Cost models of the shipped cores, for tests."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from vtarget.base.strictyaml import load_yaml_model
from vtarget.data.core import Core
from vtarget.logic.cost import CostModel

CORES = Path(__file__).parent.parent / "boards" / "cores"
NAMES = ("m0", "m0plus", "m3", "m4", "m33", "m7")
needs_assembler = pytest.mark.skipif(shutil.which("arm-none-eabi-as") is None, reason="arm-none-eabi-as not found")


@cache
def core(name: str) -> Core:
    """The shipped core ``cortex-<name>`` with all its options."""
    return load_yaml_model(CORES / f"cortex-{name}.yaml", Core).configured(fpu="fpv5-dp", dsp=True)


@cache
def model(name: str) -> CostModel:
    """Its cost model."""
    return CostModel(core(name))


def assemble(text: str, directory: Path) -> bytes:
    """The bytes of ``text`` (instructions separated by semicolons) for Armv7E-M with single-precision FPU."""
    source, object_, binary = (directory / f"kernel.{kind}" for kind in ("s", "o", "bin"))
    lines = [".syntax unified", ".thumb", ".arch armv7e-m", ".fpu fpv4-sp-d16", *text.split("; "), ""]
    source.write_text("\n".join(lines))
    subprocess.run(["arm-none-eabi-as", "-mthumb", source, "-o", object_], check=True)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", object_, binary], check=True)
    return binary.read_bytes()

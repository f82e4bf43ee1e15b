"""Strict YAML: what is read, and the one line every malformed file gets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import (
    Field,
    FieldError,
    LineMap,
    Model,
    Place,
    Text,
    load_yaml_model,
    model_validator,
    validate,
)
from vtarget.base.units import Address, Bytes, Hertz, Volts


class Part(Model):
    name: Annotated[str, Field(pattern=r"^[a-z]+$")]
    size: Bytes = 1
    kind: Literal["flash", "sram"] = "flash"
    fast: bool = False


class Cost(StrEnum):
    LOAD = "load"
    STORE = "store"


class Device(Model):
    title: Text
    clock: Hertz = 1
    supply: Volts | None = None
    base: Address = 0
    count: Annotated[int, Field(ge=0, le=8)] = 0
    ratio: float = 0.0
    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = (Part(name="a"),)
    best: Part | None = None
    costs: dict[Cost, int] | None = None

    @model_validator(mode="after")
    def _no_twins(self) -> Device:
        for i, part in enumerate(self.parts):
            if part.name == "twin":
                raise FieldError("no twins here", at=("parts", i, "name"), hint="have one")
        return self


def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("x.yaml")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_yaml_model(path, Device)
    line = caught.value.one_line()
    assert "\n" not in line
    assert caught.value.exit_code == 2
    return line


MALFORMED = [
    ("clock: 1 MHz\n", "x.yaml:1: 'title' is missing"),
    ("title:\n", "x.yaml:1: title: has no value"),
    ("title: ' '\n", "x.yaml:1: title: must not be empty"),
    ("title: 5\n", "x.yaml:1: title: 5 is not text (hint: put it in quotes)"),
    ("title: true\n", "x.yaml:1: title: true is not text (hint: put it in quotes)"),
    ("title: [a]\n", "x.yaml:1: title: a list is not text"),
    ("title: a\nclok: 1 MHz\n", "x.yaml:2: unknown key 'clok' (hint: did you mean 'clock'?)"),
    (
        "title: a\nparts:\n  - name: b\n    sise: 1\n",
        "x.yaml:4: parts.0: unknown key 'sise' (hint: did you mean 'size'?)",
    ),
    (
        "title: a\nbest: {name: b, zzz: 1}\n",
        "x.yaml:2: best: unknown key 'zzz' (hint: known: name, size, kind, fast)",
    ),
    (
        "title: a\nparts:\n  - name: b\n    size: 2 MHz\n",
        "x.yaml:4: parts.0.size: '2 MHz' is not a size in bytes"
        " (hint: MHz is the unit of a frequency; write it like '192 KiB')",
    ),
    (
        "title: a\nparts: [{name: b}, {name: c, size: 2 mib}]\n",
        "x.yaml:2: parts.1.size: '2 mib' is not a size in bytes (hint: did you mean '2 MiB'?)",
    ),
    ("title: a\nparts: [{name: b, size: -4}]\n", "x.yaml:2: parts.0.size: '-4' is negative"),
    (
        "title: a\nclock: 120\n",
        "x.yaml:2: clock: '120' has no unit, expected a frequency in Hz, kHz, MHz, GHz (hint: like '120 MHz')",
    ),
    (
        "title: a\nsupply: 3.3\n",
        "x.yaml:2: supply: '3.3' has no unit, expected a voltage in uV, mV, V (hint: like '1.8 V')",
    ),
    (
        "title: a\nbase: '0x10'\n",
        "x.yaml:2: base: '0x10' is not an address (hint: write it like 0x08000000, without quotes)",
    ),
    ("title: a\nbase: 0x100000000\n", "x.yaml:2: base: 0x100000000 is not a 32-bit address"),
    ("title: a\nbase: -1\n", "x.yaml:2: base: -0x1 is not a 32-bit address"),
    ("title: a\ncount: 9\n", "x.yaml:2: count: 9 is out of range, must be <= 8"),
    ("title: a\ncount: 1.5\n", "x.yaml:2: count: 1.5 is not a whole number"),
    ("title: a\ncount: 010\n", "x.yaml:2: count: '010' is not a whole number"),
    ("title: a\nratio: much\n", "x.yaml:2: ratio: 'much' is not a number"),
    ("title: a\ncosts: {laod: 1}\n", "x.yaml:2: costs: unknown key 'laod' (hint: did you mean 'load'?)"),
    ("title: a\ncosts: {load: x}\n", "x.yaml:2: costs.load: 'x' is not a whole number"),
    ("title: a\nparts: []\n", "x.yaml:2: parts: must not be empty"),
    ("title: a\nparts: {name: b}\n", "x.yaml:2: parts: a mapping is not a list"),
    ("title: a\nparts: [b]\n", "x.yaml:2: parts.0: 'b' is not a mapping (key: value)"),
    ("title: a\nbest: {name: b, fast: yes}\n", "x.yaml:2: best.fast: 'yes' is not true or false"),
    (
        "title: a\nbest: {name: b, kind: flsh}\n",
        "x.yaml:2: best.kind: 'flsh' is not one of flash, sram (hint: did you mean 'flash'?)",
    ),
    ("title: a\nbest: {name: B1}\n", "x.yaml:2: best.name: 'B1' does not have the form ^[a-z]+$"),
    ("title: a\nparts: [{name: a}, {name: twin}]\n", "x.yaml:2: parts.1.name: no twins here (hint: have one)"),
    (
        "clok: 1\nbase: x\ncount: 99\n",
        "x.yaml:1: 'title' is missing (+3 more)",
    ),
    (
        "title: 1\nbase: x\ncount: 99\n",
        "x.yaml:1: title: 1 is not text (+2 more) (hint: put it in quotes)",
    ),
]


@pytest.mark.parametrize(("content", "expected"), MALFORMED)
def test_malformed_yaml_gets_its_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes, expected: str
) -> None:
    assert refusal(write(tmp_path, monkeypatch, content)) == expected


def test_values_are_frozen_and_hashable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, monkeypatch, "title: a\nclock: 2 MHz\nparts: [{name: b, size: 0x40}]\n")
    device = load_yaml_model(path, Device)
    assert device == Device(title="a", clock=2_000_000, parts=(Part(name="b", size=64),))
    assert hash(device) == hash(load_yaml_model(path, Device))
    with pytest.raises(ValueError, match="frozen"):
        device.title = "b"  # type: ignore[misc]


JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**19), 10**19)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet="ab \n\x07é0", max_size=8)
    | st.sampled_from(["a", "2 MHz", "4 KiB", "flash", "twin"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*Device.model_fields, *Part.model_fields, "zz"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*Device.model_fields, "zz"]), JSON_LIKE, max_size=6))
def test_any_values_validate_or_give_one_line(data: dict[str, object]) -> None:
    lines = LineMap({(): Place("x.yaml", 1)})
    try:
        device = validate(data, lines, Device)
    except InputError as error:
        line = error.one_line()
        assert line.startswith("x.yaml:1: ")
        assert "\n" not in line
    else:
        assert device.title == data["title"]

"""The result log of Ambiq's neuralSPOT AutoDeploy: a line for each model, with ms, uJ and mW of one inference.

Measured in two modes, ``HP`` (the high clock) and ``LP`` (the low one), and as ``AOT HP`` and ``AOT LP`` where the
model was compiled ahead of time. Zeros stand for what was not measured. Source: neuralSPOT, tools/ns_autodeploy.py; its
windows are opened and closed by polling at 10 ms, over a number of inferences that the log doesn't tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from vtarget.base.errors import InputError
from vtarget.logic.powerwindows import Window
from vtarget.shell.power.recording import Result, Results
from vtarget.shell.power.resultrows import number, read_rows

KIND = "autodeploy-csv"
MODES = ("HP", "LP", "AOT HP", "AOT LP")
MODEL = "model filename"
AGREEMENT = 0.02  # of power times time against energy
NOTE = "AutoDeploy's windows are cut by polling every 10 ms: their edges are not in the spread"


def matches(names: Sequence[str]) -> bool:
    """Whether a table with these columns is such a log."""
    return {"hp(uj)", "lp(uj)"} <= {name.lower() for name in names}


def open_results(path: str) -> Results:
    """All that was measured. InputError for lines whose figures contradict one another."""
    (_, header), *rows = read_rows(path)
    names = [name.lower() for name in header]
    if MODEL not in names or not matches(names):
        raise InputError(f"{path}: line 1: no columns 'Model Filename', 'HP(ms)', 'HP(uJ)', 'HP(mW)'")
    found = []
    for line, fields in rows:
        for mode in MODES:
            columns = [f"{mode}({unit})" for unit in ("ms", "uJ", "mW")]
            if not all(column.lower() in names for column in columns):
                continue
            texts = [fields[names.index(column.lower())] for column in columns]
            ms, microjoules, milliwatts = (number(path, line, c, text) for c, text in zip(columns, texts, strict=True))
            if ms == 0 or microjoules == 0:
                continue
            if abs(microjoules / ms - milliwatts) > AGREEMENT * milliwatts:
                raise InputError(
                    f"{path}: line {line}: {mode}: {microjoules:g} uJ in {ms:g} ms is not {milliwatts:g} mW"
                )
            window = Window(0.0, ms / 1e3, microjoules / 1e6, 0.0)
            found.append(Result(f"{fields[names.index(MODEL)]} {mode}", mode.removeprefix("AOT "), window))
    return Results(KIND, path, tuple(found), NOTE)

"""Results made up for reports: any number of layers, any names."""

from __future__ import annotations

from typing import Any

from vtarget.data.savedresult import SavedResult
from vtarget.shell.resultfile import saved_of

CLOCK_HZ = 100_000_000
PARTS = ("issue", "load_store", "branch_refill", "fetch_wait", "data_wait", "fpu_divide", "interrupt")
OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "FULLY_CONNECTED", "AVERAGE_POOL_2D")
# What would run, move a cursor, or break out of JSON, HTML, CSV or Plotly's little markup, were it believed.
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "\"><img src=x onerror='window.hacked=1'>",
    "<a href=\"javascript:window.hacked=1\">click</a>",
    "</title><svg onload=window.hacked=1>",
    "<!--<script>",
    "{{ 7 * 7 }}{% for x in y %}",
    "\u202eevil\u2028\u2029\x1b[31m\x00",
    "=cmd|' /C calc'!A0",
    "std::vector<int, alloc<int> >::push_back(int&&)",
    "%{x} $\\alpha$ &lt;b&gt;",
)  # fmt: skip


def waterfall(cycles: int) -> dict[str, int]:
    """Cycles split into parts that add up."""
    parts = dict.fromkeys(PARTS, cycles // 10)
    return parts | {"issue": cycles - 6 * (cycles // 10)}


def layer(index: int, cycles: int, total: int, name: str, op: str) -> dict[str, Any]:
    """One layer; those of ADD have no MACs."""
    macs = 0 if op == "ADD" else 100 * (index + 1)
    return {
        "index": index, "op": op, "name": f"t{index} {name}", "kernel": f"kernel_{op.lower()}_{name}", "type": "int8",
        "input_shapes": [[1, 4]], "output_shapes": [[1, 8, 8, 4]], "macs": macs, "cycles": cycles,
        "latency_s": cycles / CLOCK_HZ, "energy_j": 1e-9 * cycles, "share": cycles / total,
        "cycles_per_mac": cycles / macs if macs else None, "ideal_cycles": macs / 2 if macs else None,
        "notes": [name], "waterfall": waterfall(cycles), "weights_bytes": 10 * index, "activation_bytes": 64,
        "cycles_spread": dict.fromkeys(("cold", "minimum", "median", "p95", "maximum"), cycles),
    }  # fmt: skip


def document(layers: int = 4, names: tuple[str, ...] = ("plain",), *, title: str = "m.tflite") -> dict[str, Any]:
    """A result's JSON object with every part that a report shows."""
    cycles = [1000 + 37 * (i * i % 101) for i in range(layers)]
    total = sum(cycles)

    def name(i: int) -> str:
        return names[i % len(names)]

    kernels = [
        {"name": f"f{i} {name(i)}", "address": 0x100 + 16 * i, "calls": i + 1, "instructions": c // 2, "cycles": c,
         "total_cycles": c, "latency_s": c / CLOCK_HZ, "energy_j": 1e-9 * c, "interrupts": int(i == 1),
         "waterfall": waterfall(c)}
        for i, c in enumerate(cycles)
    ]  # fmt: skip
    contexts = [{"parent": None, "function": "main", "address": 0x80, "calls": 1, "instructions": 0, "cycles": 0}] + [
        {"parent": 0, "function": k["name"], "address": k["address"], "calls": k["calls"],
         "instructions": k["instructions"], "cycles": k["cycles"]}
        for k in kernels
    ]  # fmt: skip
    tensor = {"name": name(0), "elements": 10, "differing": 1, "max_abs_diff": 1.0, "sqnr_db": 40.0, "bit_exact": False}
    return {
        "schema": "vtarget.profile", "schema_version": 1, "vtarget_version": "0.1.0",
        "board": {"name": name(1), "core": "cortex-m4", "clock_hz": CLOCK_HZ},
        "firmware": {"path": f"dir/{name(2)}.elf", "sha256": "0" * 64},
        "exit": {"reason": "semihosting", "code": 0, "pc": 0, "detail": name(3), "call_stack": []},
        "instructions": total // 2, "cycles": total, "cycles_low": total // 2, "cycles_high": 2 * total,
        "latency_s": total / CLOCK_HZ, "latency_s_low": total / 2 / CLOCK_HZ, "latency_s_high": 2 * total / CLOCK_HZ,
        "energy_j": 1e-9 * total, "energy_j_low": 5e-10 * total, "energy_j_high": 2e-9 * total,
        "power_source": name(4), "provenance": "uncalibrated", "calibration": None, "waterfall": waterfall(total),
        "kernels": kernels, "contexts": contexts,
        "spans": [{"name": name(5), "index": 0, "instructions": 5, "cycles": 10, "latency_s": 1e-7, "energy_j": None}],
        "layers": [layer(i, c, total, name(i), OPS[i % len(OPS)]) for i, c in enumerate(cycles)],
        "memory": {
            "flash_bytes": 1000, "ram_bytes": 200, "stack_peak_bytes": 96, "arena_bytes": 128, "weights_bytes": 500,
            "code_bytes": 500, "regions": [{"name": name(6), "used_bytes": 1000, "size_bytes": 4000}],
            "stacks": [{"name": "msp", "top": 96, "lowest": 0, "bytes": 96}],
            "arena": {"region": "SRAM", "lower_bound_bytes": 128, "allocations": [
                {"offset_bytes": 64 * (i % 2), "size_bytes": 64, "first_layer": i, "last_layer": min(i + 1, layers - 1),
                 "tensors": [name(i)] if i % 3 else []} for i in range(layers)]},
        },
        "sleep": [{"state": "sleep", "clock_hz": CLOCK_HZ, "cycles": 5000, "seconds": 5e-5, "wakeups": 3,
                   "energy_j": 1e-7}],
        "duty": {"elapsed_s": 1e-3, "energy_j": 1e-6, "average_w": 1e-3},
        "validation": {"reference": name(7), "samples": 1, "passed": True, "bit_exact": False, "max_abs_diff": 1.0,
                       "outputs": [tensor], "layers": [
                           {"index": i, "op": OPS[i % len(OPS)], "bit_exact": False, "within": True,
                            "outputs": [tensor]} for i in range(layers)]},
        "quantisation": {"samples": 1, "accuracy": None, "layers": [
            {"index": i, "op": "CONV_2D", "name": name(i), "quantised_sqnr_db": 30.0 + i % 7, "firmware_sqnr_db": None}
            for i in range(layers)]},
        "model": {"path": title, "sha256": "1" * 64, "macs": 1000}, "engine": "simd", "console": name(8),
        "not_modelled": [name(9)],
    }  # fmt: skip


def result(layers: int = 4, names: tuple[str, ...] = ("plain",), *, title: str = "m.tflite") -> SavedResult:
    """The same, read."""
    return saved_of(document(layers, names, title=title))

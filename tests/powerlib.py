"""Recordings in the layouts of several instruments' software, all of one made-up board at 3 V."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLES = Path(__file__).resolve().parent / "data" / "power"
VOLTS = 3.0
IDLE_AMPS, ACTIVE_AMPS, LAST_AMPS = 0.010, 0.020, 0.021
STEP_S = 0.001
COUNT = 700
WINDOWS = ((100, 200), (300, 400), (500, 600))
# 100 ms at 60 mW twice and at 63 mW once; the edges are known to 1 ms at 63 mW, either way.
ENERGY_J, SECONDS = 6.0e-3, 0.1
SPREAD_J = 0.3e-3 + 2 * 63e-6
IDLE_ENERGY_J = 3.0e-3


def recording() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Times, currents and the channel of the board: three windows of 100 ms, 100 ms apart."""
    times = np.arange(COUNT) * STEP_S
    amps = np.full(COUNT, IDLE_AMPS)
    high = np.zeros(COUNT, dtype=np.int64)
    for number, (start, end) in enumerate(WINDOWS):
        amps[start:end] = LAST_AMPS if number == 2 else ACTIVE_AMPS
        high[start:end] = 1
    return times, amps, high


def joulescope_text(*, power: bool = True, source: str = "JS220-000415") -> str:
    """As the UI exports what it shows."""
    times, amps, high = recording()
    names = ["time", f"{source}.i", f"{source}.v", *([f"{source}.p"] if power else []), f"{source}.0"]
    lines = [f"# {','.join(names)}"]
    for t, a, h in zip(times, amps, high, strict=True):
        figures = [t, a, VOLTS, *([a * VOLTS] if power else []), float(h)]
        lines.append(",".join(f"{figure:.18e}" for figure in figures))
    return "\n".join(lines) + "\n"


def pyjls_text(*, source: str = "JS220-000415") -> str:
    """As pyjls turns JLS into CSV."""
    times, amps, high = recording()
    lines = [f"# timestamp,{source}.current,{source}.voltage,{source}.gpi[0]"]
    lines += [f"{t:.6f},{a:+9e},{VOLTS:+9e},{h:.3f}" for t, a, h in zip(times, amps, high, strict=True)]
    return "\n".join(lines) + "\n"


def statistics_text() -> str:
    """As the UI records statistics: a line at the end of every 10 ms, with means over them."""
    times, amps, _ = recording()
    lines = ["#time,current,voltage,power,charge,energy"]
    means = amps.reshape(-1, 10).mean(axis=1)
    charge = 0.0
    for end, amp in zip(times[::10] + 10 * STEP_S, means, strict=True):
        charge += amp * 10 * STEP_S
        lines.append(f"{end:.2f},{amp:g},{VOLTS:g},{amp * VOLTS:g},{charge:g},{charge * VOLTS:g}")
    return "\n".join(lines) + "\n"


def ppk2_text(*, packed: bool = False, channel: int = 2) -> str:
    """As Nordic's Power Profiler exports it."""
    times, amps, high = recording()
    lines = [f"Timestamp(ms),Current(uA),{'D0-D7' if packed else 'D0,D1,D2,D3,D4,D5,D6,D7'}"]
    for t, a, h in zip(times, amps, high, strict=True):
        bits = ["0"] * 8
        bits[channel] = str(h)
        bits[7] = "1"
        lines.append(f"{t * 1e3:g},{a * 1e6:.3f},{('' if packed else ',').join(bits)}")
    return "\n".join(lines) + "\n"


def write_otii(folder: Path, *, power: bool = False, device: str = "Arc") -> Path:
    """As Otii exports it: a file for each channel, voltage more slowly than current, GPI1 where it changes."""
    times, amps, _ = recording()
    folder.mkdir(exist_ok=True)
    rows: dict[str, list[tuple[float, float]]] = {"Main current": list(zip(times, amps, strict=True))}
    rows["Main voltage"] = [(t, VOLTS) for t in times[::4]]
    if power:
        rows["Main power"] = [(t, a * VOLTS) for t, a in zip(times, amps, strict=True)]
    rows["GPI1"] = [(0.0, 0)]
    for start, end in WINDOWS:
        rows["GPI1"] += [(start * STEP_S, 1), (end * STEP_S, 0)]
    for name, values in rows.items():
        text = "".join(f"{t:.6f},{value:.9g}\n" for t, value in values)
        (folder / f"{name} - {device}.csv").write_text(f"Timestamp,Value\n{text}", encoding="utf-8")
    return folder


def write_jls(path: Path, signals: Sequence[str] = ("current", "voltage", "gpi[0]"), *, gpi_slower: int = 1) -> Path:
    """As Joulescope's software records it; needs pyjls."""
    from pyjls import DataType, SignalType, Writer

    _, amps, high = recording()
    rate = round(1 / STEP_S)
    values = {"current": amps, "voltage": np.full(COUNT, VOLTS), "power": amps * VOLTS, "gpi[0]": high[::gpi_slower]}
    with Writer(str(path)) as writer:
        writer.source_def(1, name="JS220-000415", vendor="made up", model="JS220", version="1", serial_number="000415")
        for number, name in enumerate(signals, start=1):
            bits = name.startswith("gpi")
            kind = DataType.U1 if bits else DataType.F32
            own_rate = rate // gpi_slower if bits else rate
            writer.signal_def(
                number, 1, signal_type=SignalType.FSR, data_type=kind, sample_rate=own_rate, name=name, units=""
            )
            if bits:
                writer.fsr(number, 0, np.packbits(values[name].astype(np.uint8), bitorder="little"))
            else:
                writer.fsr_f32(number, 0, values[name].astype(np.float32))
    return path


AUTODEPLOY_HEADER = (
    "Model Filename, Platform, Compiler, TF Version, Model Size (KB), Arena Size (KB), Model Location, Arena Location,"
    " Est MACs, HP(ms), HP(uJ), HP(mW), LP(ms), LP(uJ), LP(mW), AOT HP(ms), AOT HP(uJ), AOT HP(mW), AOT LP(ms),"
    " AOT LP(uJ), AOT LP(mW), AOT Version, TFLM ROM (KB), TFLM RAM (KB), AOT ROM (KB), AOT RAM (KB), AS Version,"
    " Date Run, ID\n"
)


def autodeploy_row(model: str, hp: tuple[float, float, float], lp: tuple[float, float, float]) -> str:
    """A line of AutoDeploy's log, with nothing compiled ahead of time."""
    figures = ",".join(f"{value:.6g}" for value in (*hp, *lp))
    tail = "0,0,0,0,0,0,0,200,80,0,0,R5.3.0,05/03/2026,0"
    return f"{model},apollo510_evb,gcc 13.2.1,feb_2025,52,24,MRAM,TCM,2656768,{figures},{tail}\n"


def helia_text(*, gated: bool = True, scope: str = "gpio_gated_clean_window") -> str:
    """As heliaPROFILER writes power_summary.csv: two windows of 6 s and 5 s at 10 mW."""
    lines = ["scope,metric,value"]
    lines += [
        f"{scope},{name},{value}" for name, value in (("avg_power_w", 0.010), ("energy_j", 0.110), ("duration_s", 11.0))
    ]
    for number, seconds in enumerate((6.0, 5.0) if gated else ()):
        figures = {"start_s": number * 10.0, "duration_s": seconds, "energy_j": seconds * 0.010, "charge_c": 0.033}
        figures |= {"avg_power_w": 0.010, "sample_count": seconds * 1000}
        lines += [f"gated_window_{number},{name},{value}" for name, value in figures.items()]
    lines.append("whole_capture_window,energy_j,0.2")
    return "\r\n".join(lines) + "\r\n"


def main() -> None:
    """Write the small samples that are kept beside the tests."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    thin = "\n".join(line for n, line in enumerate(joulescope_text().splitlines()) if n == 0 or n % 10 == 1) + "\n"
    files = {
        "joulescope-waveform.csv": thin,
        "joulescope-statistics.csv": statistics_text(),
        "ppk2-columns.csv": ppk2_text(),
        "ppk2-packed.csv": ppk2_text(packed=True),
        "autodeploy.csv": AUTODEPLOY_HEADER
        + autodeploy_row("kws", (8.0, 224.0, 28.0), (20.0, 160.0, 8.0))
        + autodeploy_row("kws", (8.0, 228.0, 28.5), (20.0, 160.0, 8.0)),
        "autodeploy-hp-only.csv": AUTODEPLOY_HEADER + autodeploy_row("vww", (50.0, 1400.0, 28.0), (0, 0, 0)),
        "heliaprofiler.csv": helia_text(),
        "heliaprofiler-on-device.csv": helia_text(gated=False, scope="on_device_gated_inference"),
    }
    for name, text in files.items():
        (SAMPLES / name).write_text(text, encoding="utf-8", newline="")
    write_otii(SAMPLES / "otii")
    times, amps, high = recording()
    rows = "".join(
        f"{t:.3f};{a:.4f};{VOLTS:.1f};{h}\n".replace(".", ",") for t, a, h in zip(times, amps, high, strict=True)
    )
    header = "Timestamp;Main current (A);Main voltage (V);GPI1\n"
    (SAMPLES / "otii-table.csv").write_text(header + rows, encoding="utf-8")


if __name__ == "__main__":
    main()

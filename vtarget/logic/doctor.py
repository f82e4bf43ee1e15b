"""The judgement of an environment: what its parts are for, whether they work, and what gets those that don't."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vtarget.data.doctor import Check, Facts, Finding, Status

PYTHONS = ((3, 11), (3, 14))  # from the first on, and before the second; as pyproject.toml has it
LEAST_FREE_BYTES = 64 << 20
_PIP = "pip install "
_REINSTALL = "pip install --force-reinstall vtarget"


@dataclass(frozen=True)
class Subject:
    """A part of an environment: what it is for, and what gets it, by the system's package manager (``apt``, ``brew``)
    or in another way (``otherwise``)."""

    purpose: str
    otherwise: str
    required: bool = False
    managed: Mapping[str, str] = field(default_factory=dict)


SUBJECTS: dict[str, Subject] = {
    "Python": Subject("vtarget itself", "install 64-bit Python 3.11 to 3.13", required=True),
    "vtarget": Subject("boards and their facts", _REINSTALL, required=True),
    "packages": Subject("reading firmware and models, pricing, tables", _REINSTALL, required=True),
    "emulator": Subject("every run", "pip install unicorn", required=True),
    "native code": Subject("counting what a run executes", "pip install numba llvmlite", required=True),
    "TFLite interpreter": Subject("profile: inputs and outputs of models", "pip install ai-edge-litert", required=True),
    "temporary folder": Subject("building models", "set TMPDIR to a folder with room", required=True),
    "cache folder": Subject("not compiling again", "set XDG_CACHE_HOME to a folder with room"),
    "arm-none-eabi-gcc": Subject(
        "profile and build (or Zig)",
        "pip install 'vtarget[cc]'",
        managed={"apt": "apt install gcc-arm-none-eabi", "brew": "brew install --cask gcc-arm-embedded"},
    ),
    "Zig": Subject("profile and build (or gcc)", "pip install 'vtarget[cc]'"),
    "make": Subject(
        "building an exported project",
        "install GNU make",
        managed={"apt": "apt install make", "brew": "xcode-select --install"},
    ),
    "CMake": Subject(
        "building an exported project",
        "pip install cmake",
        managed={"apt": "apt install cmake", "brew": "brew install cmake"},
    ),
    "gdb": Subject(
        "debugging a run (run --gdb)",
        "install a gdb for Arm",
        managed={"apt": "apt install gdb-multiarch", "brew": "brew install arm-none-eabi-gdb"},
    ),
    "pyOCD": Subject("real boards (--probe pyocd)", "pip install 'vtarget[board]'"),
    "GDB servers": Subject(
        "real boards (--probe gdb:)",
        "pip install 'vtarget[board]'",
        managed={"apt": "apt install openocd", "brew": "brew install open-ocd"},
    ),
    "HTML reports": Subject("report's pages", "pip install 'vtarget[report]'"),
    "Joulescope files": Subject("power: JLS recordings", "pip install 'vtarget[power]'"),
    "PPK2": Subject("power: recording live", "pip install 'vtarget[ppk2]'"),
    "Parquet": Subject("sweep: Parquet files", "pip install 'vtarget[parquet]'"),
    "data frames": Subject("to_pandas in Python", "pip install pandas"),
    "Dask": Subject("sweep on a Dask cluster", "pip install 'vtarget[cluster]'"),
    "Ray": Subject("sweep on a Ray cluster", "pip install 'vtarget[cluster]'"),
    "terminal": Subject("tables and progress", "-"),
}


def check(finding: Finding, manager: str | None = None) -> Check:
    """The judgement of a finding, whose name is one of SUBJECTS, on a system with that package manager."""
    subject = SUBJECTS[finding.name]
    status = Status.BROKEN if finding.problem else Status.OK if finding.found else Status.MISSING
    remedy = subject.managed.get(manager or "", subject.otherwise)
    if status is Status.BROKEN and remedy.startswith(_PIP) and "--force" not in remedy:
        remedy = f"{_PIP}--force-reinstall {remedy.removeprefix(_PIP)}"
    return Check(finding, status, subject.required, subject.purpose, "" if status is Status.OK else remedy)


def failed(checks: Iterable[Check]) -> list[Check]:
    """What is required and isn't ok."""
    return [one for one in checks if one.required and one.status is not Status.OK]


def exit_code(checks: Iterable[Check]) -> int:
    """0 if all that is required works, else 1."""
    return 1 if failed(checks) else 0


def python_finding(version: tuple[int, int, int], bits: int, system: str, facts: Facts) -> Finding:
    """The interpreter that runs this, on a system of that name."""
    problem = ""
    if not PYTHONS[0] <= version[:2] < PYTHONS[1]:
        problem = "not 3.11 to 3.13"
    elif bits != 64:
        problem = f"{bits} bits, not 64"
    named = ".".join(map(str, version))
    return Finding("Python", f"{named} on {system}", problem and f"{named} on {system}: {problem}", facts)


def folder_finding(name: str, free_bytes: int, used_bytes: int | None, problem: str, facts: Facts) -> Finding:
    """A folder that has to be written to; ``problem`` says why that isn't possible."""
    used = "" if used_bytes is None else f"{size(used_bytes)} used, "
    found = f"{used}{size(free_bytes)} free"
    if not problem and free_bytes < LEAST_FREE_BYTES:
        problem = f"only {size(free_bytes)} free"
    return Finding(name, found, problem, facts)


def packages_finding(name: str, versions: Mapping[str, str | None], problems: Mapping[str, str]) -> Finding:
    """Packages that belong together: the version of each, None if it isn't there; why some can't be loaded.

    With some of them only, the whole is not there.
    """
    present = [f"{package} {version}" for package, version in versions.items() if version is not None]
    whole = len(present) == len(versions)
    broken = [f"{package}: {problem}" for package, problem in problems.items()]
    if broken or (whole and present) or SUBJECTS[name].required:
        broken += [f"{package}: not installed" for package, version in versions.items() if version is None]
    found = ", ".join(present) if len(present) <= 3 else f"all {len(present)} load"
    return Finding(name, found if whole else "", "; ".join(broken), dict(versions))


def usable(findings: Iterable[Finding], package: str) -> bool:
    """Whether a package of the required ones could be loaded."""
    packages = next(finding for finding in findings if finding.name == "packages")
    return packages.facts.get(package) is not None and f"{package}: " not in packages.problem


def terminal_finding(width: int | None, colours: str | None, encoding: str) -> Finding:
    """Standard output: a terminal of that width and colours, or (None) a pipe or a file."""
    shown = "not a terminal" if width is None else f"{width} columns, {colours or 'no colour'}"
    return Finding("terminal", f"{shown}, {encoding}", "", {"columns": width, "colours": colours, "encoding": encoding})


def size(size_bytes: int) -> str:
    """Bytes for tables: three digits at most."""
    value, units = float(size_bytes), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return (
        f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {units[0]}"
        if units[0] != "B"
        else f"{size_bytes} B"
    )


def rows(checks: Iterable[Check]) -> list[tuple[str, str, str]]:
    """(name, status, what was found) of each."""
    return [(one.finding.name, one.status.value, one.told or "-") for one in checks]


def advice(checks: Iterable[Check]) -> list[tuple[str, str, str]]:
    """(name, what needs it, what gets it) of what isn't ok."""
    return [(one.finding.name, one.purpose, one.remedy) for one in checks if one.status is not Status.OK]


def details(checks: Iterable[Check]) -> list[tuple[str, str, str]]:
    """(name, fact, value) of every fact."""
    return [
        (one.finding.name if number == 0 else "", fact, _told(value))
        for one in checks
        for number, (fact, value) in enumerate(one.finding.facts.items())
    ]


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def verdict(checks: Sequence[Check]) -> str:
    """All in one line."""
    wrong = failed(checks)
    if wrong:
        return "not ready: " + ", ".join(f"{one.finding.name} is {one.status.value}" for one in wrong)
    optional = [one for one in checks if not one.required]
    lacking = sum(one.status is not Status.OK for one in optional)
    return "ready" if not lacking else f"ready, without {lacking} of {len(optional)} optional parts"


def document(checks: Sequence[Check], version: str) -> dict[str, Any]:
    """The JSON of a checked environment; it is about the host, so it names paths."""
    return {
        "schema": "vtarget.doctor",
        "schema_version": 1,
        "vtarget_version": version,
        "ok": not failed(checks),
        "checks": [
            {
                "name": one.finding.name,
                "status": one.status.value,
                "required": one.required,
                "found": one.finding.found,
                "problem": one.finding.problem or None,
                "purpose": one.purpose,
                "remedy": one.remedy or None,
                "facts": dict(one.finding.facts),
            }
            for one in checks
        ],
    }

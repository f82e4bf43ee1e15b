"""Looks at the environment: what is there, and whether it works. Nothing here needs a network, and no look takes long.

What could raise, crash or hang is asked in a process of its own, so this module must load without any package.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vtarget import __version__
from vtarget.base.errors import InputError, RunError, printable
from vtarget.data.doctor import Facts, Finding
from vtarget.logic.doctor import SUBJECTS, folder_finding, packages_finding, python_finding
from vtarget.shell import nativecache
from vtarget.shell.buildcache import cache_dir
from vtarget.shell.commands import cause, run_limited
from vtarget.shell.datadir import boards_dir
from vtarget.shell.selftest import try_all, version_of

TOOL_SECONDS = 10.0
# The first run of a version compiles for seconds.
TRIAL_SECONDS = 120.0

# Distribution -> the module that is loaded of it.
CORE_PACKAGES = {
    "capstone": "capstone",
    "numpy": "numpy",
    "pyelftools": "elftools.elf.elffile",
    "intelhex": "intelhex",
    "cpp_demangle": "cpp_demangle",
    "pydantic": "pydantic",
    "PyYAML": "yaml",
    "click": "click",
    "rich": "rich.console",
    "jinja2": "jinja2",
    "joblib": "joblib",
    "tflite": "tflite",
}
OPTIONAL_PACKAGES = {
    "pyOCD": {"pyocd": "pyocd"},
    "HTML reports": {"plotly": "plotly"},
    "Joulescope files": {"pyjls": "pyjls"},
    "PPK2": {"ppk2-api": "ppk2_api", "pyserial": "serial"},
    "Parquet": {"pyarrow": "pyarrow"},
    "data frames": {"pandas": "pandas"},
    "Dask": {"dask": "dask", "distributed": "distributed"},
    "Ray": {"ray": "ray"},
}
GDBS = ("gdb-multiarch", "arm-none-eabi-gdb")
# Command -> what asks for its version; those that may open a window or a probe are not asked.
SERVERS = {
    "openocd": ("--version",),
    "probe-rs": ("--version",),
    "pyocd": (),
    "JLinkGDBServerCLExe": (),
    "JLinkGDBServerCL": (),
    "ST-LINK_gdbserver": (),
}
_VERSION = re.compile(r"(?<![\w.])v?(\d+\.\d[\w.+-]*)")
_CORE_FLAGS = {
    "gcc": ("-mcpu=cortex-m4", "-mthumb"),
    "zig": ("-target", "thumb-freestanding-eabi", "-mcpu=cortex_m4"),
}


@dataclass(frozen=True)
class _Look:
    """How to look: in a folder for what is tried, each tool and each trial for so many seconds at most."""

    folder: Path
    tool_s: float
    trial_s: float

    def ask(self, *command: str, environment: Mapping[str, str] = {}) -> str:
        """What a tool prints. RunError if it fails, or doesn't answer."""
        name = Path(command[0]).name
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "empty.c").write_text("int answer(void) { return 42; }\n", encoding="utf-8")
        (folder / "library.c").write_text("#include <stdio.h>\n", encoding="utf-8")
        code, output = run_limited(
            command, folder, {**os.environ, "LC_ALL": "C", **environment}, name, self.tool_s, "it"
        )
        if code:
            last = next((line for line in reversed(output.splitlines()) if line.strip()), "")
            raise RunError(f"{name}: {printable(last.strip())[:200] or 'it failed'} ({cause(code)})")
        return output

    def try_all(self, trials: Sequence[str]) -> dict[str, tuple[str, str]]:
        """As of ``selftest``, in a folder that no other looks into."""
        return try_all(trials, Path(tempfile.mkdtemp(dir=self.folder)), self.trial_s)


def look(*, load_all: bool = False, tool_s: float = TOOL_SECONDS, trial_s: float = TRIAL_SECONDS) -> list[Finding]:
    """What there is of SUBJECTS, but for the terminal. ``load_all``: optional packages are loaded, not just found."""
    found = [_python(), _vtarget(), _cache()]
    try:
        with tempfile.TemporaryDirectory(prefix="vtarget-doctor-") as name:
            parent = Path(name).parent
            found.append(folder_finding("temporary folder", *_space(parent), "", {"folder": str(parent)}))
            found += _look_around(_Look(Path(name), tool_s, trial_s), load_all)
    except OSError as error:
        problem = f"can't be written: {error.strerror or error}"
        known = {finding.name for finding in found} - {"temporary folder"}
        found = [finding for finding in found if finding.name in known]
        found.append(Finding("temporary folder", problem=problem))
        others = (name for name in SUBJECTS if name not in known | {"temporary folder", "terminal"})
        found += [Finding(name, problem="not tried: no temporary folder") for name in others]
    order = list(SUBJECTS)
    return sorted(found, key=lambda finding: order.index(finding.name))


def _look_around(look: _Look, load_all: bool) -> list[Finding]:
    jobs: list[Callable[[_Look], list[Finding]]] = [
        _trials, _gcc, _zig, _make, _cmake, _gdb, _servers,
        lambda look: _optional_packages(look, load_all),
    ]  # fmt: skip
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [finding for found in pool.map(lambda job: job(look), jobs) for finding in found]


def _python() -> Finding:
    facts: Facts = {
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
    }
    system = f"{platform.system()} {platform.machine()}"
    return python_finding(sys.version_info[:3], 8 * struct.calcsize("P"), system, facts)


def _vtarget() -> Finding:
    facts: dict[str, str | int | None] = {"version": __version__, "package": str(Path(__file__).resolve().parents[1])}
    try:
        folder = boards_dir()
    except InputError as error:
        return Finding("vtarget", problem=error.one_line(), facts=facts)
    count = len(list(folder.glob("*.yaml")))
    facts |= {"boards": count, "boards from": str(folder)}
    if not count:
        return Finding("vtarget", problem="there is no board", facts=facts)
    return Finding("vtarget", f"{__version__}, {count} boards", facts=facts)


def _trials(look: _Look) -> list[Finding]:
    """What is tried in one process, as most of its time goes into loading packages that all of them need."""
    versions = _versions(CORE_PACKAGES)
    modules = tuple(module for package, module in CORE_PACKAGES.items() if versions[package] is not None)
    kept = _size_of(nativecache.folder())
    tried = look.try_all((*modules, "emulator", "native", "interpreter"))
    unicorn, (answer, problem) = version_of("unicorn"), tried["emulator"]
    return [
        packages_finding("packages", versions, _problems(CORE_PACKAGES, tried)),
        Finding("emulator", answer and f"unicorn {unicorn}: {answer}", problem, {"unicorn": unicorn}),
        _native_code(kept, *tried["native"]),
        Finding("TFLite interpreter", *tried["interpreter"]),
    ]


def _native_code(kept: tuple[int, int], answer: str, problem: str) -> Finding:
    """What the trial says of native code of which there were so many files and bytes before."""
    folder = nativecache.folder()
    count, size_bytes = _size_of(folder)
    facts: Facts = {
        **_versions(("llvmlite", "numba")),
        "kept in": str(folder),
        "kept files": count,
        "kept bytes": size_bytes,
        "bytes of other versions": _size_of(folder.parent)[1] - size_bytes,
    }
    how = "loaded" if count and kept == (count, size_bytes) else "compiled now"
    return Finding("native code", answer and f"{how}: {answer}", problem, facts)


def _optional_packages(look: _Look, load_all: bool) -> list[Finding]:
    modules = {package: module for packages in OPTIONAL_PACKAGES.values() for package, module in packages.items()}
    versions = _versions(modules)
    there = tuple(module for package, module in modules.items() if versions[package] is not None)
    problems = _problems(modules, look.try_all(there)) if load_all else {}
    return [
        packages_finding(
            name,
            {package: versions[package] for package in packages},
            {package: problems[package] for package in packages if package in problems},
        )
        for name, packages in OPTIONAL_PACKAGES.items()
    ]


def _problems(modules: Mapping[str, str], tried: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Why packages can't be loaded."""
    problems = {package: tried[module][1] for package, module in modules.items() if module in tried}
    return {package: problem for package, problem in problems.items() if problem}


def _versions(distributions: Iterable[str]) -> dict[str, str | None]:
    return {name: version_of(name) for name in distributions}


def _gcc(look: _Look) -> list[Finding]:
    path = shutil.which("arm-none-eabi-gcc")
    if path is None:
        return [Finding("arm-none-eabi-gcc")]
    try:
        version = _version(look.ask(path, "--version"))
        look.ask(path, *_CORE_FLAGS["gcc"], "-c", "empty.c", "-o", "empty.o")
    except RunError as error:
        return [Finding("arm-none-eabi-gcc", problem=error.message, facts={"path": path})]
    newlib = _works(look, path, *_CORE_FLAGS["gcc"], "-fsyntax-only", "library.c")
    found = f"{version}, {'with' if newlib else 'without'} C library headers"
    return [Finding("arm-none-eabi-gcc", found, facts={"path": path, "version": version, "C library headers": newlib})]


def _works(look: _Look, *command: str) -> bool:
    try:
        look.ask(*command)
    except RunError:
        return False
    return True


def _zig(look: _Look) -> list[Finding]:
    spec = importlib.util.find_spec("ziglang")
    places = spec.submodule_search_locations if spec is not None else None
    path = shutil.which("zig", path=places[0]) if places else None
    if path is None:
        return [Finding("Zig")]
    kept = {name: str(look.folder / "zig") for name in ("ZIG_LOCAL_CACHE_DIR", "ZIG_GLOBAL_CACHE_DIR")}
    try:
        version = _version(look.ask(path, "version"))
        look.ask(path, "cc", *_CORE_FLAGS["zig"], "-c", "empty.c", "-o", "empty.o", environment=kept)
    except RunError as error:
        return [Finding("Zig", problem=error.message, facts={"path": path})]
    return [Finding("Zig", version, facts={"path": path, "version": version})]


def _make(look: _Look) -> list[Finding]:
    return [_tools(look, "make", {"make": ("--version",)})]


def _cmake(look: _Look) -> list[Finding]:
    return [_tools(look, "CMake", {"cmake": ("--version",)})]


def _gdb(look: _Look) -> list[Finding]:
    return [_tools(look, "gdb", dict.fromkeys(GDBS, ("--version",)))]


def _servers(look: _Look) -> list[Finding]:
    return [_tools(look, "GDB servers", SERVERS)]


def _tools(look: _Look, name: str, commands: Mapping[str, tuple[str, ...]]) -> Finding:
    """Those of some commands that are on the PATH; a problem if none of them works."""
    found, problems = [], []
    facts: dict[str, str] = {}
    for command, arguments in commands.items():
        path = shutil.which(command)
        if path is None:
            continue
        facts[command] = path
        try:
            version = _version(look.ask(path, *arguments)) if arguments else ""
        except RunError as error:
            problems.append(error.message)
            continue
        found.append(f"{command} {version}".strip())
    return Finding(name, ", ".join(found), "" if found else "; ".join(problems), facts)


def _version(output: str) -> str:
    """The first version that a tool's answer begins with, its packager's words left out."""
    lines = [re.sub(r"\([^)]*\)", "", line) for line in output.splitlines() if line.strip()]
    matches = [match[1] for line in lines[:2] if (match := _VERSION.search(line))]
    return matches[0] if matches else "of unknown version"


def _cache() -> Finding:
    folder = cache_dir()
    problem = ""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"vtarget")
    except OSError as error:
        problem = f"can't be written: {error.strerror or error}"
    facts: dict[str, str | int] = {"folder": str(folder)}
    parts = sorted(path for path in folder.iterdir() if path.is_dir()) if os.access(folder, os.R_OK | os.X_OK) else []
    sizes = {path.name: _size_of(path)[1] for path in parts}
    facts |= {f"bytes of {name}": size_bytes for name, size_bytes in sizes.items()}
    return folder_finding("cache folder", *_space(folder, sum(sizes.values())), problem, facts)


def _space(folder: Path, used_bytes: int | None = None) -> tuple[int, int | None]:
    """Free bytes where a folder is or would be, and those given."""
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    return shutil.disk_usage(there).free, used_bytes


def _size_of(folder: Path) -> tuple[int, int]:
    """How many files there are below a folder, and their bytes; what vanishes meanwhile is left out."""
    count = size_bytes = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                size_bytes += Path(parent, name).lstat().st_size
            except OSError:
                continue
            count += 1
    return count, size_bytes


def package_manager() -> str | None:
    """The system's package manager, if it is one whose packages are known: ``apt`` or ``brew``."""
    return next((name for name in ("apt", "brew") if shutil.which(name)), None)

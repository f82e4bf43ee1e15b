"""The C compilers: arm-none-eabi-gcc where there is one, else the clang in the package ziglang (extra ``cc``).

Builds are kept by content and say nothing of the place or time they were made at: the same sources and options give
the same bytes in any folder.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from vtarget.base.errors import InputError, RunError
from vtarget.data.target import Target
from vtarget.logic.compileflags import compile_flags, file_flags, link_flags, link_libraries, link_script
from vtarget.logic.includes import include_closure
from vtarget.shell.buildcache import BuildCache, cache_dir, content_key
from vtarget.shell.commands import run_limited

GCC = "arm-none-eabi-gcc"
CHOICES = ("auto", "gcc", "zig")
TIMEOUT_S = 300.0
MOST_WORKERS = 8
_HINT = "pip install 'vtarget[cc]'"
# Flags that name files which the cache's keys don't know.
_OUTSIDE = re.compile(r"^(-I|-i|-B|-L|-specs|--specs|-fplugin|-fprofile|-x|@)|/")
_FIRST_ERROR = re.compile(r"^.*?(?:error:|undefined reference|region .* overflowed|has no room).*$", re.MULTILINE)
# Variables by which an environment would change what is compiled.
_UNWANTED = ("CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "DEPENDENCIES_OUTPUT")

Files = Mapping[str, str | Path]


@dataclass(frozen=True)
class Toolchain:
    """A compiler: how to call it (``command``), and what it calls itself. ``kind`` is ``gcc`` or ``zig``."""

    kind: str
    command: tuple[str, ...]
    name: str
    version: str


@dataclass(frozen=True)
class BuildResult:
    """A built ELF and what built it. ``compiled`` files were compiled anew, the others were known."""

    elf: Path
    compiler: str
    version: str
    flags: tuple[str, ...]
    compiled: int


def find_toolchain(choice: str = "auto") -> Toolchain:
    """The compiler of that kind; ``auto``: gcc if it is on the PATH, else zig.

    Raises InputError, with what to install, if there is none, and for an unknown ``choice``.
    """
    if choice not in CHOICES:
        raise InputError(f"there is no toolchain '{choice}'", hint=f"toolchains: {', '.join(CHOICES)}")
    found = (_gcc() if choice != "zig" else None) or (_zig() if choice != "gcc" else None)
    if found is not None:
        return found
    if choice == "gcc":
        raise InputError(f"{GCC} is not on the PATH", hint=f"or use --toolchain zig after {_HINT}")
    missing = "the package ziglang is not installed" if choice == "zig" else "no Arm compiler found"
    raise InputError(missing, hint=_HINT)


def _gcc() -> Toolchain | None:
    path = shutil.which(GCC)
    return None if path is None else Toolchain("gcc", (path,), GCC, _version((path, "--version")))


def _zig() -> Toolchain | None:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    # The program itself, so that no Python starts once more for each file.
    path = shutil.which("zig", path=spec.submodule_search_locations[0])
    return None if path is None else Toolchain("zig", (path, "cc"), "zig cc", _version((path, "version")))


@cache
def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(f"{command[0]} does not run: {error}") from None
    first = done.stdout.splitlines()[0] if done.stdout else ""
    # gcc names itself first; what follows are the packager's words and the version.
    return first.removeprefix(GCC).strip() or "unknown"


def compile_and_link(
    sources: Files,
    headers: Files,
    *,
    target: Target,
    linker_script: str,
    toolchain: Toolchain,
    output: str | os.PathLike[str],
    include_dirs: Sequence[str] = (".",),
    cflags: Sequence[str] = (),
    cache: BuildCache | None = None,
) -> BuildResult:
    """Compile every source (``.c``) and link them by ``linker_script`` to the ELF ``output``.

    ``sources`` and ``headers`` map names relative to the project (``kernels/conv_2d.c``) to text or files;
    ``include_dirs`` are relative to it too. ``cflags`` come after our own options. ``cache`` defaults to the user's.

    Raises RunError, one line with the first error and the log's path, if the compiler or linker fails or hangs.
    """
    flags = compile_flags(toolchain.kind, target, cflags)
    kept = cache or BuildCache(cache_dir())
    with tempfile.TemporaryDirectory(prefix="vtarget-build-") as folder:
        job = _Job(toolchain, flags, tuple(include_dirs), Path(folder), kept, _cacheable(cflags))
        compiled = job.compile(_texts(sources), _texts(headers))
        link = link_flags(toolchain.kind, target, cflags)
        elf = job.link(link, link_libraries(toolchain.kind), link_script(toolchain.kind, linker_script, cflags))
    if compiled:
        kept.clean()
    _write(Path(output), elf)
    return BuildResult(Path(output), toolchain.name, toolchain.version, flags, compiled)


def _cacheable(cflags: Iterable[str]) -> bool:
    return not any(_OUTSIDE.search(flag) for flag in cflags)


def _texts(files: Files) -> dict[str, str]:
    return {name: f if isinstance(f, str) else f.read_text(encoding="utf-8") for name, f in files.items()}


def _write(path: Path, data: bytes) -> None:
    from vtarget.shell.files import replace_file

    try:
        replace_file(path, data)
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror or error}") from None


class _Job:
    """One build in a folder of its own. Objects are gathered by ``compile`` and used by ``link``."""

    def __init__(
        self,
        toolchain: Toolchain,
        flags: tuple[str, ...],
        include_dirs: tuple[str, ...],
        folder: Path,
        cache: BuildCache,
        cacheable: bool,
    ) -> None:
        self._toolchain = toolchain
        self._flags = flags
        self._include_dirs = include_dirs
        self._folder = folder
        self._cache = cache
        self._cacheable = cacheable
        self._environment = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        self._environment |= {
            "LC_ALL": "C",
            "ZIG_LOCAL_CACHE_DIR": str(folder / "zig"),
            "ZIG_GLOBAL_CACHE_DIR": str(cache.root / "zig"),
        }
        self._objects: dict[str, bytes] = {}

    def compile(self, sources: Mapping[str, str], headers: Mapping[str, str]) -> int:
        """Compile what isn't known; how many files that were."""
        keys = {name: self._key(name, text, headers) for name, text in sources.items()}
        for name, key in keys.items():
            known = self._cache.read(key) if self._cacheable else None
            if known is not None:
                self._objects[name] = known
        missing = [name for name in sources if name not in self._objects]
        if missing:
            self._stage({**headers, **{name: sources[name] for name in missing}})
            with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_WORKERS, len(missing))) as pool:
                self._objects.update(zip(missing, pool.map(self._compile_one, missing), strict=True))
        if self._cacheable:
            for name in missing:
                self._cache.write(keys[name], self._objects[name])
        return len(missing)

    def link(self, flags: tuple[str, ...], libraries: tuple[str, ...], script: str) -> bytes:
        """The ELF of the compiled objects, in the order of their names."""
        names = sorted(self._objects)
        tool = (*self._toolchain.command, self._toolchain.version)
        key = content_key(["elf", *tool[1:], *flags, *libraries, script, *(self._objects[name] for name in names)])
        known = self._cache.read(key) if self._cacheable else None
        if known is not None:
            return known
        objects = self._folder / "objects"
        objects.mkdir(exist_ok=True)
        for number, name in enumerate(names):
            (objects / f"{number}.o").write_bytes(self._objects[name])
        (self._folder / "board.ld").write_text(script, encoding="utf-8")
        files = [f"objects/{number}.o" for number in range(len(names))]
        self._run([*flags, "-T", "board.ld", *files, *libraries, "-o", "firmware.elf"], "linking")
        elf = (self._folder / "firmware.elf").read_bytes()
        if self._cacheable:
            self._cache.write(key, elf)
        return elf

    def _key(self, name: str, text: str, headers: Mapping[str, str]) -> str:
        used = include_closure(name, text, headers, self._include_dirs)
        tool = (self._toolchain.kind, self._toolchain.name, self._toolchain.version)
        options = (*self._flags, *file_flags(self._toolchain.kind, name), *self._include_dirs)
        return content_key(["object", *tool, *options, name, text, *(part for h in used for part in (h, headers[h]))])

    def _stage(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            pure = PurePosixPath(name)
            if pure.is_absolute() or ".." in pure.parts:
                raise InputError(f"source name '{name}' leaves the project")
            path = self._folder / "project" / pure
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def _compile_one(self, name: str) -> bytes:
        includes = [flag for folder in self._include_dirs for flag in ("-I", folder)]
        target = self._folder / f"{content_key([name])[:16]}.o"
        options = [*self._flags, *file_flags(self._toolchain.kind, name), *includes]
        options.append(f"-ffile-prefix-map={self._folder / 'project'}=.")
        self._run([*options, "-c", name, "-o", str(target)], f"compiling {name}", self._folder / "project")
        return target.read_bytes()

    def _run(self, arguments: Sequence[str], what: str, folder: Path | None = None) -> None:
        command = [*self._toolchain.command, *arguments]
        code, output = run_limited(command, folder or self._folder, self._environment, what, TIMEOUT_S, "the compiler")
        if code != 0:
            raise RunError(f"{what}: {self._first_error(output, code)}", hint=self._log(command, output))

    def _first_error(self, output: str, code: int) -> str:
        found = _FIRST_ERROR.search(output)
        line = found[0] if found else next(iter(output.splitlines()), f"exit status {code}")
        return line.replace(f"{self._folder}{os.sep}", "").strip()

    def _log(self, command: Sequence[str], output: str) -> str | None:
        """Keep what the compiler said; a hint at where, None if it can't be kept."""
        try:
            folder = self._cache.root / "logs"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{content_key([*command, output])[:16]}.log"
            path.write_text(" ".join(command) + "\n" + output, encoding="utf-8")
        except OSError:
            return None
        return f"all messages: {path}"

"""From generated files to firmware: adds kernels and startup code, compiles, links."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vtarget.base.errors import InputError
from vtarget.data.emission import Layer
from vtarget.data.target import Target
from vtarget.logic.codegen.project import LINKER_SCRIPT
from vtarget.logic.includes import include_closure
from vtarget.shell.buildcache import BuildCache
from vtarget.shell.datadir import firmware_dir
from vtarget.shell.toolchain import BuildResult, Toolchain, compile_and_link

# Relative to the project. Headers of the compiler's C library would do for the last one, were there always one.
INCLUDE_DIRS = ("model", "kernels", "board", "freestanding")
_BOARD_FILES = ("memory.c", "semihost.c", "semihost.h", "startup.c")


@dataclass(frozen=True)
class Project:
    """All files of a firmware: path in the project to text. The linker script is one of them."""

    files: Mapping[str, str]

    @property
    def sources(self) -> tuple[str, ...]:
        """Paths of what is compiled, in the order that it is linked in."""
        return tuple(sorted(name for name in self.files if name.endswith(".c")))

    @property
    def headers(self) -> tuple[str, ...]:
        """Paths of the headers, sorted."""
        return tuple(sorted(name for name in self.files if name.endswith(".h")))


def complete_project(generated: Mapping[str, str], layers: Iterable[Layer]) -> Project:
    """``generated`` (of ``generate_project``) with the kernels that ``layers`` need, startup code, memory functions."""
    root = firmware_dir()
    kernels = {f"kernels/{path.relative_to(root / 'kernels').as_posix()}": path for path in _kernel_files(root)}
    files = {f"board/{name}": _text(root / "common" / name) for name in _BOARD_FILES}
    files["freestanding/string.h"] = _text(root / "freestanding" / "string.h")
    for source in sorted({f"kernels/{source}" for layer in layers for source in layer.sources}):
        if source not in kernels:
            raise InputError(
                f"the kernel file {source} is missing from this installation", hint="install vtarget again"
            )
        files[source] = _text(kernels[source])
    files |= generated
    available = {name: _text(path) for name, path in kernels.items() if name.endswith(".h")} | files
    for name in [name for name in files if name.endswith((".c", ".h"))]:
        used = include_closure(name, files[name], available, INCLUDE_DIRS)
        files |= {header: available[header] for header in used}
    return Project(dict(sorted(files.items())))


def _kernel_files(root: Path) -> list[Path]:
    return sorted(path for path in (root / "kernels").rglob("*.[ch]"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def build_project(
    project: Project,
    target: Target,
    toolchain: Toolchain,
    output: str | os.PathLike[str],
    *,
    cflags: Sequence[str] = (),
    cache: BuildCache | None = None,
) -> BuildResult:
    """The project's ELF, written to ``output``; errors as of ``compile_and_link``."""
    return compile_and_link(
        {name: project.files[name] for name in project.sources},
        {name: project.files[name] for name in project.headers},
        target=target,
        linker_script=project.files[LINKER_SCRIPT],
        toolchain=toolchain,
        output=output,
        include_dirs=INCLUDE_DIRS,
        cflags=cflags,
        cache=cache,
    )

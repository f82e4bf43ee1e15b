"""Projects on disk: written whole into a new folder, or over files that nobody has touched since."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from vtarget.base.errors import InputError
from vtarget.shell.files import replace_file

MANIFEST = "vtarget.json"
MOST_NAMED = 3
# What the project's own build files make is nobody's work.
_BUILT = "build"


def check_project_folder(path: str, *, force: bool) -> None:
    """InputError if a project can't be written to the folder ``path`` without losing files that vtarget didn't write.

    A folder is fine if it doesn't exist yet (its parent must), is empty, or holds a project as it was written;
    ``force`` allows any.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"-o {path}: is no directory")
    if not folder.absolute().parent.is_dir():
        raise InputError(f"-o {path}: no such directory: {folder.parent}")
    foreign = [] if force or not folder.exists() else _foreign(folder)
    if foreign:
        named = ", ".join(foreign[:MOST_NAMED]) + (", ..." if len(foreign) > MOST_NAMED else "")
        raise InputError(
            f"-o {path}: has files that vtarget did not write or that were changed since: {named}",
            hint="--force writes over them and leaves the others alone",
        )


def write_project(path: str, files: Mapping[str, bytes], facts: Mapping[str, object], *, force: bool) -> None:
    """Write ``files`` (name to content) and a manifest with ``facts`` to the folder ``path``.

    A new folder appears whole or not at all. In one that is there, files are replaced one by one, the manifest last;
    those of an earlier project that are no part of this one are removed. Raises InputError if it can't be written or
    is refused (see ``check_project_folder``).
    """
    check_project_folder(path, force=force)
    folder = Path(path).resolve()
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    manifest = json.dumps({**facts, "files": hashes}, indent=2).encode() + b"\n"
    everything = {**files, MANIFEST: manifest}
    try:
        if folder.is_dir() and any(folder.iterdir()):
            _update(folder, everything)
        else:
            _create(folder, everything)
    except OSError as error:
        raise InputError(f"-o {path}: can't be written: {error.strerror or error}") from None


def _create(folder: Path, files: Mapping[str, bytes]) -> None:
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        for name, data in files.items():
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        if folder.is_dir():
            folder.rmdir()
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _update(folder: Path, files: Mapping[str, bytes]) -> None:
    stale = [name for name, known in _manifest(folder).items() if name not in files and _hash(folder / name) == known]
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, data)
    for name in stale:
        (folder / name).unlink()


def _foreign(folder: Path) -> list[str]:
    """Files below ``folder`` that are no unchanged part of a project, sorted."""
    known = _manifest(folder)
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()]
    return sorted(name for name in names if not known or _is_foreign(folder, name, known))


def _is_foreign(folder: Path, name: str, known: Mapping[str, str]) -> bool:
    if name == MANIFEST or name.startswith(f"{_BUILT}/"):
        return False
    return name not in known or _hash(folder / name) != known[name]


def _manifest(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of the project that was written there; empty if none was."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict):
        return {}
    return {
        n: h for n, h in files.items() if isinstance(h, str) and ".." not in Path(n).parts and not n.startswith("/")
    }


def _hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if not path.is_symlink() else None
    except OSError:
        return None

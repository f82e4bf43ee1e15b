"""Projects on disk: new folders whole or not at all, and no file lost that somebody worked on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vtarget.base.errors import InputError
from vtarget.shell.projectfiles import MANIFEST, check_project_folder, write_project

FILES = {"README.md": b"read me", "model/model.c": b"int x;"}


def written(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


@pytest.mark.parametrize("exists", [False, True])
def test_a_new_or_empty_folder_gets_the_files(exists: bool, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    if exists:
        folder.mkdir()
    write_project(str(folder), FILES, {"engine": "simd"}, force=False)
    assert written(folder) == FILES
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["engine"] == "simd" and list(manifest["files"]) == ["README.md", "model/model.c"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_untouched_project_is_replaced_and_what_it_built_kept(tmp_path: Path) -> None:
    write_project(str(tmp_path), FILES | {"old.c": b"old"}, {}, force=False)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "firmware.elf").write_bytes(b"built")
    write_project(str(tmp_path), FILES | {"README.md": b"new"}, {}, force=False)
    assert written(tmp_path) == FILES | {"README.md": b"new", "build/firmware.elf": b"built"}


def test_foreign_and_changed_files_are_refused_by_name(tmp_path: Path) -> None:
    write_project(str(tmp_path), FILES, {}, force=False)
    (tmp_path / "model" / "model.c").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError) as error:
        write_project(str(tmp_path), FILES, {}, force=False)
    assert error.value.one_line() == (
        f"-o {tmp_path}: has files that vtarget did not write or that were changed since: model/model.c, notes.txt "
        "(hint: --force writes over them and leaves the others alone)"
    )
    assert (tmp_path / "model" / "model.c").read_text() == "mine"


def test_a_foreign_folder_is_refused_and_few_of_many_files_are_named(tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / name).write_text("")
    with pytest.raises(InputError, match=r"changed since: a, b, c, \.\.\.$"):
        check_project_folder(str(tmp_path), force=False)


def test_force_writes_over_files_and_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "notes.txt").write_bytes(b"mine")
    write_project(str(tmp_path), FILES, {}, force=True)
    assert written(tmp_path) == FILES | {"notes.txt": b"mine"}


def test_a_changed_file_of_an_earlier_project_survives_force(tmp_path: Path) -> None:
    write_project(str(tmp_path), FILES | {"old.c": b"old", "older.c": b"older"}, {}, force=False)
    (tmp_path / "old.c").write_bytes(b"mine")
    write_project(str(tmp_path), FILES, {}, force=True)
    assert written(tmp_path) == FILES | {"old.c": b"mine"}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": []}', '{"files": {"../x": "1", "/y": "2", "a": 3}}'])
def test_a_manifest_of_somebody_else_owns_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(InputError, match=r"vtarget\.json"):
        check_project_folder(str(tmp_path), force=False)


def test_places_that_can_not_be_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file: is no directory"):
        check_project_folder(str(tmp_path / "file"), force=True)
    with pytest.raises(InputError, match=r"no such directory: .*absent"):
        check_project_folder(str(tmp_path / "absent" / "out"), force=False)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written"):
        write_project(str(tmp_path / "out"), {"a": b"", "a/b": b""}, {}, force=False)
    assert list(tmp_path.iterdir()) == []

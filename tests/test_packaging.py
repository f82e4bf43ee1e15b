"""What users install: the wheel runs by itself, outside the checkout, and gives what the checkout gives."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = "firmware/examples/conv_int8-m4f.elf"
RUN = ("-b", "nucleo-l4r5zi", "--json", "-")
DISTRIBUTIONS = {
    "elftools": "pyelftools",
    "ppk2_api": "ppk2-api",
    "yaml": "PyYAML",
}  # where the name of the package differs
LOADED_BY_NAME = {"ai-edge-litert"}  # by shell/interpreter.py, which takes the one that is there
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
SHIPPED = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]


def run(command: list[str], cwd: Path) -> str:
    """Standard output of a command that must succeed, in an environment that doesn't point back to the checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "PIP_"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(kind: str, source: Path, outdir: Path) -> Path:
    run([sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(outdir), str(source)], ROOT)
    (built,) = outdir.iterdir()
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@dataclass(frozen=True)
class Installation:
    """A virtual environment that holds the wheel, and finds the dependencies of the one that runs the tests."""

    wheel: Path
    command: str
    package: Path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("installed")
    wheel = build("wheel", ROOT, folder / "wheel")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = str(folder / "venv" / "bin" / "python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    run([*install, str(wheel)], folder)
    (site,) = (folder / "venv" / "lib").glob("python3.*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return Installation(wheel, str(folder / "venv" / "bin" / "vtarget"), site / "vtarget")


def test_the_installed_command_runs_the_package_from_the_wheel(installed: Installation, tmp_path: Path) -> None:
    python = str(Path(installed.command).with_name("python"))
    where = run([python, "-c", "import vtarget; print(vtarget.__file__)"], tmp_path)
    assert where.strip() == str(installed.package / "__init__.py")
    assert run([installed.command, "--version"], tmp_path) == f"vtarget, version {PROJECT['version']}\n"


def test_a_copied_firmware_gives_the_same_json_as_in_the_checkout(installed: Installation, tmp_path: Path) -> None:
    copy = tmp_path / EXAMPLE
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / EXAMPLE, copy)
    expected = run([sys.executable, "-m", "vtarget", "run", EXAMPLE, *RUN], ROOT)
    assert json.loads(expected)["console"] == "conv_int8 crc=0xb7a1f4fe ok\n"
    assert run([installed.command, "run", EXAMPLE, *RUN], tmp_path) == expected


def test_the_firmware_inside_the_wheel_runs(installed: Installation, tmp_path: Path) -> None:
    elf = installed.package / "_data" / EXAMPLE
    profile = json.loads(run([installed.command, "run", str(elf), *RUN], tmp_path))
    assert profile["firmware"]["path"] == str(elf)
    profile["firmware"]["path"] = EXAMPLE
    assert profile == json.loads(run([sys.executable, "-m", "vtarget", "run", EXAMPLE, *RUN], ROOT))


def test_the_boards_are_those_of_the_checkout(installed: Installation, tmp_path: Path) -> None:
    boards = run([installed.command, "boards", "list"], tmp_path)
    assert boards == run([sys.executable, "-m", "vtarget", "boards", "list"], ROOT)
    assert boards.count("\n") == len(list((ROOT / "boards").glob("*.yaml"))) + 2


def files_of(folder: str) -> list[Path]:
    return [p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts]


def test_the_wheel_holds_package_boards_and_examples_and_nothing_else(installed: Installation) -> None:
    names = set(contents(installed.wheel))
    expected = {str(p.relative_to(ROOT)) for p in files_of("vtarget")}
    for folder, target in SHIPPED.items():
        expected |= {f"{target}/{p.relative_to(ROOT / folder)}" for p in files_of(folder)}
    info = f"vtarget-{PROJECT['version']}.dist-info"
    assert {name for name in names if not name.startswith(info)} == expected
    assert {"vtarget/py.typed", "vtarget/_data/boards/rpi-pico.yaml", f"vtarget/_data/{EXAMPLE}"} <= names
    assert f"{info}/licenses/LICENSE" in names


def test_a_wheel_built_from_the_sdist_is_the_same(tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path / "unpacked"], check=True)
    (source,) = (tmp_path / "unpacked").iterdir()
    assert (source / "tests" / "test_packaging.py").is_file() and (source / "docs").is_dir()
    rebuilt = contents(build("wheel", source, tmp_path / "rebuilt"))
    assert rebuilt == contents(build("wheel", ROOT, tmp_path / "direct"))


def test_every_dependency_is_declared_and_used() -> None:
    from test_house import EVERYWHERE, HOMES, modules

    imported = {
        found.module.split(".")[0]
        for module in modules()
        for found in module.imports
        if not found.typing_only and found.module.split(".")[0] in {*HOMES, *EVERYWHERE}
    }
    declared = {_distribution(requirement) for requirement in PROJECT["dependencies"]}
    extras = PROJECT["optional-dependencies"]
    optional = {_distribution(requirement) for name in extras for requirement in extras[name]}
    needed = {DISTRIBUTIONS.get(package, package) for package in imported}
    assert declared - LOADED_BY_NAME <= needed
    assert needed - declared <= optional


def _distribution(requirement: str) -> str:
    return re.split(r"[<>=\[;]", requirement)[0]

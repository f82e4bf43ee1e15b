"""The documentation is true: commands print what the pages show, links lead somewhere, options are all described."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path

import click
import pytest
from doclib import PAGES, ROOT, TESTS, Sandbox, blocks, commands, refreshed
from firmwarelib import build, needs_compiler

import vtarget
from vtarget.app.run_cmd import run
from vtarget.data.record import Reason
from vtarget.shell.running import price

# Pages whose figures depend on the compiler.
COMPILED = ("README.md", "firmware/README.md", "docs/models.md", "docs/sweep.md")
# Where options of run are described: each in running.md, or on the page that is its home.
OPTION_PAGES = ("docs/running.md", "docs/consoles.md", "docs/peripherals.md", "docs/debugging.md", "docs/ci.md")
GUIDES = ("docs/running.md", "docs/boards.md", "docs/cycles.md", "docs/reports.md", "docs/sweep.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def page_parameter(page: str) -> object:
    if page == "docs/debugging.md":
        lacks = shutil.which("gdb-multiarch") is None
        return pytest.param(page, marks=pytest.mark.skipif(lacks, reason="gdb-multiarch is not installed"))
    if page not in COMPILED:
        return page
    same = build.compiler_version() == build.COMPILER_FILE.read_text(encoding="utf-8").strip()
    other = pytest.mark.skipif(not same, reason=f"{build.COMPILER} is another version than firmware/COMPILER names")
    return pytest.param(page, marks=[needs_compiler, other])


@pytest.mark.parametrize("page", [page_parameter(page) for page in PAGES])
def test_commands_print_what_the_page_shows(page: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    shown = text_of(page)
    assert refreshed(shown, sandbox.run, sandbox.write) == shown


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_in_a_block_that_runs(page: str) -> None:
    text = text_of(page)
    assert re.findall(r"^```(?!console$|yaml$|pycon$|text$|$)\S*", text, re.MULTILINE) == []
    outside = re.sub(r"^```console\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\s*\$ .*", outside, re.MULTILINE) == []


@pytest.mark.parametrize("page", [*GUIDES, "README.md"])
def test_python_examples(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    examples = doctest.DocTestParser().get_doctest(text_of(page).replace("```", ""), {}, page, page, 0)
    result = doctest.DocTestRunner().run(examples)
    assert result.failed == 0


def test_the_example_of_the_library_face(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(vtarget)
    assert (result.failed, result.attempted) == (0, 3)


def test_the_readme_has_its_two_commands() -> None:
    shown = [command for block in blocks(text_of("README.md"), "console") for command, _ in commands(block)]
    installing = [command for command in shown if "pip install" in command]
    job, tests = installing
    assert shown[0] == job
    assert job == "python -m pip install -q . && vtarget run firmware/examples/conv_int8-m4f.elf -b nucleo-l4r5zi"
    assert tests == f"python -m pip install -q -e '.[test]' && {TESTS}"
    assert text_of(".ci/run").endswith(f"\n{tests}\n")


def test_links_lead_somewhere() -> None:
    links = [(page, target) for page in PAGES for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(page))]
    assert len(links) >= 5
    assert [
        link for link in links if "://" not in link[1] and not (ROOT / link[0]).parent.joinpath(link[1]).exists()
    ] == []


def test_the_readme_names_every_guide() -> None:
    linked = re.findall(r"\]\((docs/[^)]+)\)", text_of("README.md"))
    assert sorted(linked) == sorted(page for page in PAGES if page.startswith("docs/"))


def test_every_option_of_run_is_described_and_every_option_described_exists() -> None:
    known = {name for p in run.params if isinstance(p, click.Option) for name in p.opts if name.startswith("--")}
    options = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
    here = set(options.findall(text_of("docs/running.md")))
    assert here - {"--help"} - known == set()
    assert known - {name for page in OPTION_PAGES for name in options.findall(text_of(page))} == set()


def test_every_field_of_the_json_is_described() -> None:
    from vtarget.logic.result import profile_json

    pricer = vtarget.pricer_for("nucleo-l4r5zi")
    facts = vtarget.record(ROOT / "firmware/startups/nucleo-l4r5zi.elf", "nucleo-l4r5zi", spans=["compute"])
    result = profile_json(price(facts, pricer, battery_mah=100))
    objects = [result, *(result[k] for k in ("exit", "board", "firmware", "memory", "duty", "battery"))]
    fields = {key for one in [*objects, *(result[k][0] for k in ("kernels", "spans", "sleep"))] for key in one}
    described = set(re.findall(r"`([a-z_0-9]+)`", text_of("docs/running.md")))
    assert {name for name in fields - described if not name.endswith(("_low", "_high"))} == set()
    assert {reason.value for reason in Reason} - described == set()


def test_every_key_of_a_board_is_described() -> None:
    from vtarget.data.board import Board, Boot, Clock, Debug, PowerPoint, PowerState, Region
    from vtarget.data.memorysystem import Burst, Cache, DataAccess, FetchAccess, Prefetch, Wait, WaitStates

    models = (Board, Boot, Cache, Clock, DataAccess, Debug, FetchAccess, PowerPoint, PowerState, Prefetch, Region, Wait)
    models += (Burst, WaitStates)
    keys = {key for model in models for key in model.model_fields} | {"extends"}
    described = set(re.findall(r"`([a-z_]+)`", text_of("docs/boards.md")))
    assert keys - described == set()

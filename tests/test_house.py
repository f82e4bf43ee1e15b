"""The rules that the source of vtarget keeps: who may import whom, what is pure, what is documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "vtarget"
LAYERS = ("base", "data", "logic", "shell", "app")
MOST_LINES = 400

# Where each third-party package is at home: one module, or the layer that is made of it. numpy is used as a language.
HOMES = {
    "capstone": "vtarget.logic.decode",
    "click": "vtarget.app",
    "cpp_demangle": "vtarget.shell.demangle",
    "elftools": "vtarget.shell.elf",
    "distributed": "vtarget.shell.parallel",
    "intelhex": "vtarget.shell.hexbin",
    "jinja2": "vtarget.logic.templates",
    "joblib": "vtarget.shell.parallel",
    "llvmlite": "vtarget.shell.native",
    "numba": "vtarget.shell.native",
    "pandas": "vtarget.shell.frames",
    "ppk2_api": "vtarget.shell.power.ppk2live",
    "pyarrow": "vtarget.shell.frames",
    "pydantic": "vtarget.base.strictyaml",
    "pydantic_core": "vtarget.base.strictyaml",
    "pyjls": "vtarget.shell.power.jls",
    "pyocd": "vtarget.shell.probes.pyocdprobe",
    "pytest": "vtarget.app.pytest_plugin",
    "ray": "vtarget.shell.parallel",
    "rich": "vtarget.app.terminal",
    "tflite": "vtarget.shell.tflitefile",
    "unicorn": "vtarget.shell.engine",
    "yaml": "vtarget.base.yamlreader",
}
EVERYWHERE = frozenset({"numpy"})

# Function -> why it may catch everything.
BROAD_EXCEPTS = {
    "vtarget.shell.sweepunit.run_unit": "a bug that one cell meets must not cost the others: its row names it",
    "vtarget.shell.recorder.Recorder._called_back": "a ctypes callback can't raise: it keeps the error for the machine",
}

PURE_LAYERS = ("data", "logic")
# What data and logic may take from outside vtarget: none of it reaches outside the process.
PURE_MODULES = frozenset(
    {
        *("__future__", "abc", "bisect", "collections", "contextlib", "dataclasses", "difflib", "enum", "fractions"),
        *(
            "functools",
            "graphlib",
            "base64",
            "hashlib",
            "heapq",
            "itertools",
            "json",
            "math",
            "operator",
            "ast",
            "fnmatch",
            "html",
            "re",
            "string",
            "struct",
        ),
        *("textwrap", "types", "typing", "weakref", "zlib"),
        *("capstone", "jinja2", "numpy", "vtarget"),
    }
)
LOOKS_AT_FILES = frozenset({"abspath", "exists", "expanduser", "getsize", "isdir", "isfile", "realpath"})
IMPURE_CALLS = LOOKS_AT_FILES | frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})
IMPURE_METHODS = LOOKS_AT_FILES | frozenset(
    {"fromfile", "tofile", "loadtxt", "savetxt", "load", "save", "savez", "memmap"}
)

MACHINE_PATH = re.compile(r"(^|[^\w.])/(work|root|home)/[a-z.]", re.MULTILINE)
PACKAGE_INDEX = re.compile(r"pypi\.org|pythonhosted\.org|--(extra-)?index-url")


@dataclass(frozen=True)
class Import:
    """One import of a module; ``typing_only``: it stands under TYPE_CHECKING."""

    module: str
    line: int
    typing_only: bool


@dataclass(frozen=True)
class Module:
    """A module of vtarget with its syntax tree."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def layer(self) -> str | None:
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 and parts[1] in LAYERS else None

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree, typing_only=False))

    def at(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}"


def _imports(node: ast.AST, *, typing_only: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, typing_only)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0 and node.module is not None, "relative import"
        for alias in node.names:
            submodule = f"{node.module}.{alias.name}"
            yield Import(submodule if submodule in _names() else node.module, node.lineno, typing_only)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        for child in node.body:
            yield from _imports(child, typing_only=True)
        for child in node.orelse:
            yield from _imports(child, typing_only=typing_only)
        return
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, typing_only=typing_only)


def _name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _names() -> frozenset[str]:
    return frozenset(_name_of(p) for p in PACKAGE.rglob("*.py"))


@cache
def modules() -> tuple[Module, ...]:
    return tuple(Module(_name_of(path), path) for path in sorted(PACKAGE.rglob("*.py")))


def functions_of(module: Module) -> Iterator[tuple[str, ast.AST]]:
    """(qualified name, node) of every function and class, nested ones too."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield f"{prefix}.{child.name}", child
                yield from walk(child, f"{prefix}.{child.name}")
            else:
                yield from walk(child, prefix)

    yield from walk(module.tree, module.name)


def calls_of(module: Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, node
            elif isinstance(node.func, ast.Attribute):
                yield f".{node.func.attr}", node


def test_every_module_has_a_layer() -> None:
    assert [m.name for m in modules() if m.layer is None] == ["vtarget", "vtarget.__main__"]


def test_layers_import_downwards_only() -> None:
    upwards = [
        f"{module.at(found.line)} imports {found.module}"
        for module in modules()
        if module.layer is not None
        for found in module.imports
        if found.module.split(".")[0] == "vtarget" and len(found.module.split(".")) > 1
        if LAYERS.index(found.module.split(".")[1]) > LAYERS.index(module.layer)
    ]
    assert upwards == []


def test_nothing_imports_the_library_face_but_for_the_version() -> None:
    uses = [
        ast.unparse(node)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "vtarget" and module.name != "vtarget"
        if any(f"vtarget.{alias.name}" not in _names() for alias in node.names)
    ]
    assert set(uses) == {"from vtarget import __version__"}


def test_there_is_no_import_cycle() -> None:
    graph = {
        module.name: {found.module for found in module.imports if found.module in _names() and not found.typing_only}
        for module in modules()
        if module.name != "vtarget"
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert set(graph) <= set(order)


def test_one_third_party_package_has_one_home() -> None:
    strangers = [
        f"{module.at(found.line)} imports {found.module}"
        for module in modules()
        for found in module.imports
        if (package := found.module.split(".")[0])
        not in sys.stdlib_module_names | EVERYWHERE | {"vtarget", "__future__"}
        if not f"{module.name}.".startswith(f"{HOMES.get(package, '-')}.")
    ]
    assert strangers == []


def test_every_home_is_lived_in() -> None:
    imported = {found.module.split(".")[0] for module in modules() for found in module.imports}
    assert set(HOMES) <= imported


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_importing_vtarget_loads_nothing_heavy() -> None:
    assert _loaded_by("import vtarget") & (set(HOMES) | EVERYWHERE) == set()


def test_help_loads_the_command_line_package_only() -> None:
    assert _loaded_by("import vtarget.app.cli") & (set(HOMES) | EVERYWHERE) == {"click"}


def test_every_name_of_the_library_face_exists_and_is_typed() -> None:
    import vtarget

    typed = {
        alias.asname or alias.name
        for module in modules()
        if module.name == "vtarget"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
        if alias.name != "TYPE_CHECKING"
    }
    assert typed | {"__version__"} == set(vtarget.__all__)
    assert all(getattr(vtarget, name) is not None for name in vtarget.__all__)
    with pytest.raises(AttributeError, match="module 'vtarget' has no attribute 'runn'"):
        vtarget.runn  # noqa: B018


def test_no_module_is_too_long() -> None:
    lengths = {str(m.path.relative_to(ROOT)): len(m.text.splitlines()) for m in modules()}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(n, ast.Name) and n.id in ("Exception", "BaseException") for n in ast.walk(handler.type))


def test_broad_excepts_stand_only_where_they_have_a_reason() -> None:
    found = [
        name
        for module in modules()
        for name, function in functions_of(module)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    ]
    outside = [
        module.at(node.lineno)
        for module in modules()
        for node in module.tree.body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef)
        for handler in ast.walk(node)
        if isinstance(handler, ast.ExceptHandler) and _is_broad(handler)
    ]
    assert outside == []
    assert sorted(found) == sorted(BROAD_EXCEPTS)


def test_data_and_logic_do_no_input_or_output() -> None:
    impure = [
        f"{module.at(found.line)} imports {found.module}"
        for module in modules()
        if module.layer in PURE_LAYERS
        for found in module.imports
        if found.module.split(".")[0] not in PURE_MODULES
    ]
    impure += [
        f"{module.at(call.lineno)} calls {name}"
        for module in modules()
        if module.layer in PURE_LAYERS
        for name, call in calls_of(module)
        if name in IMPURE_CALLS or name[1:] in IMPURE_METHODS
    ]
    assert impure == []


def test_only_the_app_prints_and_exits() -> None:
    talking = [
        f"{module.at(call.lineno)} calls {name}"
        for module in modules()
        if module.layer != "app"
        for name, call in calls_of(module)
        if name in ("print", "input", "exit", "quit", ".exit", ".echo")
    ]
    talking += [
        f"{module.at(node.lineno)} uses sys.{node.attr}"
        for module in modules()
        if module.layer != "app"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys"
        if node.attr in ("stdout", "stderr", "stdin", "argv", "exit")
    ]
    assert talking == []


def _undocumented(node: ast.AST, prefix: str) -> Iterator[str]:
    """Public functions, classes and methods without a docstring; what stands inside functions is private."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            if ast.get_docstring(child) is None:
                yield f"{prefix}.{child.name}"
            if isinstance(child, ast.ClassDef):
                yield from _undocumented(child, f"{prefix}.{child.name}")


def test_everything_public_is_documented() -> None:
    missing = [m.name for m in modules() if ast.get_docstring(m.tree) is None]
    missing += [name for m in modules() for name in _undocumented(m.tree, m.name)]
    assert missing == []


def test_everything_typed_says_so() -> None:
    assert (PACKAGE / "py.typed").is_file()


def _texts() -> Iterator[tuple[str, str]]:
    """(path, text) of every text file of the project."""
    folders = [ROOT / name for name in (".ci", "boards", "docs", "firmware", "models", "tests", "vtarget")]
    paths = [*ROOT.glob("*.md"), ROOT / "pyproject.toml", *(p for folder in folders for p in folder.rglob("*"))]
    for path in sorted(paths):
        if path.is_file() and "__pycache__" not in path.parts and b"\0" not in (data := path.read_bytes()):
            yield str(path.relative_to(ROOT)), data.decode("utf-8")


def test_no_file_names_a_machine_or_a_package_index() -> None:
    texts = dict(_texts())
    assert len(texts) > 100
    found = [path for path, text in texts.items() if MACHINE_PATH.search(text) or PACKAGE_INDEX.search(text)]
    assert found == []

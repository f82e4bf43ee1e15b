"""CMSIS-SVD files: names, reset values and access of a chip's registers, and its interrupts.

The format is CMSIS-SVD 1.3 (open-cmsis-pack.github.io/svd-spec). Fields and enumerated values are not read. The
packages that read it were weighed: cmsis-svd 0.6 gives wrong addresses in nested clusters and drops derived registers,
svdsuite 0.2 needs Python 3.12, pysvd 0.2 refuses files without descriptions. So Expat reads it, and a document type
declaration, without which there are no entities, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import display_path
from vtarget.shell.files import read_file

MAX_FILE_BYTES = 64 << 20
MAX_ELEMENTS = 1 << 18  # arrays and derivations written out
MAX_ARRAY = 1 << 16  # larger arrays are memory: only their first element gets a name
MAX_DEPTH = 64
MAX_TEXT = 4096
MAX_NAME = 200
_WORD = 0xFFFFFFFF

_NODES = frozenset({"device", "peripheral", "cluster", "register", "interrupt", "addressBlock"})
_TRANSPARENT = frozenset({"peripherals", "registers"})
_INHERITED = ("size", "access", "resetValue")
_TEXTS = frozenset(
    {"name", "baseAddress", "addressOffset", "offset", "value", "dim", "dimIncrement", "dimIndex", *_INHERITED}
)
_NUMBER = re.compile(r"\+?(?:0[xX]([0-9a-fA-F]{1,16})|#([01xX]{1,64})|([0-9]{1,19}))\Z")
_INDEX_RANGE = re.compile(r"([0-9]{1,6}|[A-Z])\s*-\s*([0-9]{1,6}|[A-Z])\Z")


@dataclass(frozen=True)
class SvdRegister:
    """A register. ``access`` is SVD's word, such as ``read-only``, or empty."""

    name: str
    address: int
    size_bytes: int
    reset: int
    access: str


@dataclass(frozen=True)
class SvdPeripheral:
    """A peripheral: half-open ``base`` .. ``end``."""

    name: str
    base: int
    end: int


@dataclass(frozen=True)
class SvdChip:
    """What an SVD file says. Names are ``PERIPHERAL.REGISTER``, with clusters between dots.

    ``registers`` are by absolute address, the first of those that share one; ``addresses`` know every name.
    ``peripherals`` are in order of address, ``interrupts`` by external interrupt number.
    """

    name: str
    registers: Mapping[int, SvdRegister]
    addresses: Mapping[str, int]
    interrupts: Mapping[int, str]
    peripherals: tuple[SvdPeripheral, ...]

    def register_at(self, address: int) -> SvdRegister | None:
        """The register that holds the byte at ``address``."""
        for start in (address, address & ~1, address & ~3, address & ~7):
            register = self.registers.get(start)
            if register is not None and address < start + register.size_bytes:
                return register
        return None

    def peripheral_at(self, address: int) -> SvdPeripheral | None:
        """The peripheral that ``address`` is inside; the last to begin, if several."""
        inside = [found for found in self.peripherals if found.base <= address < found.end]
        return inside[-1] if inside else None

    def reset_word(self, address: int) -> int:
        """The word at a word address after reset; 0 where there is no register."""
        value = 0
        for start in range(address, address + 4):
            register = self.registers.get(start)
            if register is not None:
                value |= register.reset << 8 * (start - address)
        return value & _WORD


@dataclass(eq=False)
class _Node:
    """An element: its texts by tag and the elements in it."""

    tag: str
    line: int
    derived_from: str | None = None
    texts: dict[str, str] = field(default_factory=dict)
    nodes: list[_Node] = field(default_factory=list)
    resolved: bool = False
    busy: bool = False
    index: dict[tuple[str, str], _Node] | None = None

    def named(self, name: str, tags: Iterable[str]) -> _Node | None:
        """The first element of that name."""
        if self.index is None:
            self.index = {(node.tag, node.texts.get("name", "")): node for node in reversed(self.nodes)}
        return next((self.index[tag, name] for tag in tags if (tag, name) in self.index), None)


def svd_path(path: Path, board_svd: str | None) -> Path:
    """The SVD file meant by ``path``: itself, or in a directory laid out like cmsis-svd-data the board's own.

    ``board_svd`` is the board's ``debug.svd``, such as ``Nordic/nrf52840.svd``. InputError if it isn't there.
    """
    if not path.is_dir():
        return path
    if board_svd is None:
        raise InputError(f"{display_path(path)}: is a directory, and the board names no SVD file")
    for candidate in (path / board_svd, path / "data" / board_svd):
        if candidate.is_file():
            return candidate
    raise InputError(f"{display_path(path)}: there is no {board_svd} in it")


def load_svd(path: Path) -> SvdChip:
    """The chip in an SVD file. InputError in one line for a file that can't be read or isn't a sound SVD file."""
    data = read_file(str(path), "--svd", MAX_FILE_BYTES)
    reader = _Reader(display_path(path))
    return _Chip(reader.name, reader.read(data)).build()


class _Reader:
    """Builds nodes from Expat's events; everything else in the file is passed over."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._root = _Node("", 0)
        self._open = [self._root]
        self._depth = 0
        self._passing: int | None = None  # the depth of the element that is passed over
        self._text: list[str] | None = None
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def read(self, data: bytes) -> _Node:
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise InputError(f"{self.name}:{error.lineno}: not valid XML: {expat.ErrorString(error.code)}") from None
        except (LookupError, ValueError) as error:  # an encoding that Python or Expat lacks
            raise self._error(f"not readable: {error}") from None
        device = self._root.nodes[0] if self._root.nodes else None
        if device is None or device.tag != "device":
            raise InputError(f"{self.name}: is no SVD file: its root is no <device>")
        return device

    def _error(self, message: str) -> InputError:
        return InputError(f"{self.name}:{self._parser.CurrentLineNumber}: {message}")

    def _doctype(self, *_declaration: object) -> None:
        raise self._error("a document type declaration is not allowed in an SVD file")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"elements nested deeper than {MAX_DEPTH} levels")
        if self._passing is not None:
            return
        if tag in _NODES:
            node = _Node(tag, self._parser.CurrentLineNumber, attributes.get("derivedFrom"))
            self._open[-1].nodes.append(node)
            self._open.append(node)
        elif tag in _TEXTS:
            self._text = []
        elif tag not in _TRANSPARENT:
            self._passing = self._depth

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._passing is not None:
            if self._depth < self._passing:
                self._passing = None
        elif tag in _NODES:
            self._open.pop()
        elif tag in _TEXTS and self._text is not None:
            self._open[-1].texts.setdefault(tag, "".join(self._text).strip()[:MAX_TEXT])
            self._text = None

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)


class _Chip:
    """Works out a device: derivations, inherited properties, arrays, clusters."""

    def __init__(self, file: str, device: _Node) -> None:
        self._file = file
        self._device = device
        self._registers: dict[int, SvdRegister] = {}
        self._addresses: dict[str, int] = {}
        self._interrupts: dict[int, str] = {}
        self._peripherals: list[SvdPeripheral] = []
        self._elements = 0

    def build(self) -> SvdChip:
        device = self._device
        for node in device.nodes:
            if node.tag == "peripheral":
                self._derive(node, device)
                for name, offset in self._copies(node):
                    self._add_peripheral(node, name, self._number(node, "baseAddress") + offset)
        return SvdChip(
            device.texts.get("name") or self._file,
            self._registers,
            self._addresses,
            self._interrupts,
            tuple(sorted(self._peripherals, key=lambda found: (found.base, -found.end, found.name))),
        )

    def _add_peripheral(self, node: _Node, name: str, base: int) -> None:
        end = self._add_registers(node, name, base, _inherited(node, _inherited(self._device, {})))
        for block in node.nodes:
            if block.tag == "addressBlock":
                end = max(end, base + self._number(block, "offset", 0) + self._number(block, "size", 0))
            elif block.tag == "interrupt":
                self._interrupts.setdefault(self._number(block, "value"), self._name(block))
        self._peripherals.append(SvdPeripheral(name, base, end))

    def _add_registers(self, parent: _Node, prefix: str, base: int, above: Mapping[str, str], depth: int = 0) -> int:
        """Add the registers in ``parent``, which is at ``base``; where the last one ends."""
        end = base
        if depth > MAX_DEPTH:
            raise self._error(parent, f"{prefix[:MAX_NAME]} is derived from what holds it")
        for node in parent.nodes:
            if node.tag not in ("register", "cluster"):
                continue
            self._derive(node, parent)
            properties = _inherited(node, above)
            for name, offset in self._copies(node):
                full, address = f"{prefix}.{name}", base + self._number(node, "addressOffset", 0) + offset
                if node.tag == "cluster":
                    end = max(end, self._add_registers(node, full, address, properties, depth + 1))
                else:
                    end = max(end, self._add_register(node, full, address, properties))
        return end

    def _add_register(self, node: _Node, name: str, address: int, properties: Mapping[str, str]) -> int:
        size_bytes = -(-self._parse(node, "size", properties.get("size", "32")) // 8)
        reset = self._parse(node, "resetValue", properties.get("resetValue", "0"))
        if not 1 <= size_bytes <= 8:
            raise self._error(node, f"{name} has {8 * size_bytes} bits; 8 to 64 are supported")
        end = address + size_bytes
        if end > _WORD + 1:
            raise self._error(node, f"{name} is outside the 32-bit address space")
        reset &= (1 << 8 * size_bytes) - 1
        self._registers.setdefault(address, SvdRegister(name, address, size_bytes, reset, properties.get("access", "")))
        self._addresses.setdefault(name, address)
        return end

    def _copies(self, node: _Node) -> Iterator[tuple[str, int]]:
        """(name, offset) of each element of an array; of the node itself, if it is none."""
        name = self._name(node)
        count, step = self._number(node, "dim", 1), self._number(node, "dimIncrement", 0)
        count = count if count <= MAX_ARRAY else 1
        self._spend(node, count)
        if "dim" not in node.texts:
            yield name, 0
            return
        for place, index in enumerate(_indices(node.texts.get("dimIndex", ""), count)):
            yield name.replace("%s", index, 1) if "%s" in name else f"{name}{index}", place * step

    def _spend(self, node: _Node, elements: int) -> None:
        self._elements += elements
        if self._elements > MAX_ELEMENTS:
            raise self._error(node, f"more than {MAX_ELEMENTS} registers and other elements")

    def _derive(self, node: _Node, scope: _Node, depth: int = 0) -> None:
        """Complete a node from the one that it is derived from, which is found beside it or by its path."""
        if node.resolved or node.derived_from is None:
            return
        if node.busy or depth > MAX_DEPTH:
            raise self._error(node, f"{node.texts.get('name', node.tag)[:MAX_NAME]} is derived from itself")
        node.busy = True
        base, its_scope = self._find(node, scope, node.derived_from)
        self._derive(base, its_scope, depth + 1)
        self._spend(node, len(base.nodes))
        an_array = "dim" in node.texts or "%s" in node.texts.get("name", "")
        node.texts = {tag: text for tag, text in base.texts.items() if tag != "dim" or an_array} | node.texts
        own = {(inner.tag, inner.texts.get("name")) for inner in node.nodes}
        node.nodes += [
            inner
            for inner in base.nodes
            if inner.tag != "interrupt" and (inner.tag, inner.texts.get("name")) not in own
        ]
        node.index = None
        node.resolved, node.busy = True, False

    def _find(self, node: _Node, scope: _Node, wanted: str) -> tuple[_Node, _Node]:
        """The node that ``node`` is derived from, and the node that holds it."""
        beside = scope.named(wanted, (node.tag,))
        if beside is not None:
            return beside, scope
        holder, found = self._device, self._device
        for step in wanted.split("."):
            inner = found.named(step, ("peripheral", "cluster", "register"))
            if inner is None:
                break
            holder, found = found, inner
        else:
            if found.tag == node.tag:
                return found, holder
        raise self._error(node, f"there is no {node.tag} '{wanted[:MAX_NAME]}' to derive from")

    def _name(self, node: _Node) -> str:
        name = node.texts.get("name", "")
        if not name:
            raise self._error(node, f"a {node.tag} has no name")
        if len(name) > MAX_NAME:
            raise self._error(node, f"a name of more than {MAX_NAME} characters")
        return name

    def _number(self, node: _Node, tag: str, default: int | None = None) -> int:
        if tag in node.texts:
            return self._parse(node, tag, node.texts[tag])
        if default is None:
            raise self._error(node, f"{node.texts.get('name', node.tag)[:MAX_NAME]} has no {tag}")
        return default

    def _parse(self, node: _Node, tag: str, text: str) -> int:
        match = _NUMBER.match(text)
        if match is None:
            raise self._error(node, f"{tag} '{text[:40]}' is not a number")
        if match[2]:
            return int(re.sub("[xX]", "0", match[2]), 2)
        return int(match[1], 16) if match[1] else int(match[3])

    def _error(self, node: _Node, message: str) -> InputError:
        return InputError(f"{self._file}:{node.line}: {message}")


def _inherited(node: _Node, above: Mapping[str, str]) -> dict[str, str]:
    return {**above, **{tag: node.texts[tag] for tag in _INHERITED if tag in node.texts}}


def _indices(text: str, count: int) -> list[str]:
    """The indices of an array of ``count``: listed, a range, or numbers from 0."""
    if "," in text:
        listed = [index.strip() for index in text.split(",")]
        return listed if len(listed) == count else [str(n) for n in range(count)]
    match = _INDEX_RANGE.match(text)
    if match is not None and match[1].isdigit() == match[2].isdigit():
        first, last = (int(end) if end.isdigit() else ord(end) for end in (match[1], match[2]))
        if last - first + 1 == count:
            return [str(n) if match[1].isdigit() else chr(n) for n in range(first, last + 1)]
    return [str(n) for n in range(count)]

"""Patterns that are looked for in a stream of bytes, in time that grows with the stream alone.

A subset of regular expressions: literals, ``.``, ``[...]``, ``\\d \\w \\s`` and their opposites, ``( )``, ``|``, ``*``,
``+``, ``?`` and ``{m,n}``. The pattern becomes an automaton with one position per character (V. M. Glushkov, 1961), so
no pattern takes longer per byte than it has positions, and no output has to be kept to match against. A match is the
first moment at which the bytes so far end with what the pattern describes.
"""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.consoles import BytePattern

MOST_CHARACTERS = 256
MOST_POSITIONS = 512
MOST_NESTED = 20
MOST_REPEATS = 255

_ALL = (1 << 256) - 1
_NEWLINE = 1 << 10
_SIMPLE_ESCAPES = {"r": 13, "n": 10, "t": 9, "0": 0, "e": 27, "a": 7}
SPECIAL = frozenset("\\/.[](){}|*+?^$\"'- ")


class PatternError(ValueError):
    """The text is no pattern of this kind."""


def _bits(*ranges: tuple[str, str]) -> int:
    return sum(1 << byte for low, high in ranges for byte in range(ord(low), ord(high) + 1))


_CLASSES = {
    "d": _bits(("0", "9")),
    "w": _bits(("0", "9"), ("A", "Z"), ("a", "z"), ("_", "_")),
    "s": _bits((" ", " "), ("\t", "\r")),
}


def literal(data: bytes) -> BytePattern:
    """The pattern of exactly these bytes."""
    builder = _Builder()
    return builder.finish(builder.sequence([builder.position(1 << byte) for byte in data]))


def compile_pattern(text: str) -> BytePattern:
    """The pattern that ``text`` describes. PatternError if it is none, or too large, or matches without any byte."""
    if len(text) > MOST_CHARACTERS:
        raise PatternError(f"longer than {MOST_CHARACTERS} characters")
    parser = _Parser(text)
    return parser.builder.finish(parser.parse())


class Matcher:
    """Looks for one pattern in a stream."""

    def __init__(self, pattern: BytePattern) -> None:
        self._pattern = pattern
        self._next = pattern.first

    def feed(self, byte: int) -> bool:
        """Take the next byte; whether a match ends with it."""
        matched = self._next & self._pattern.by_byte[byte]
        following = self._pattern.first
        rest = matched
        while rest:
            following |= self._pattern.follow[(rest & -rest).bit_length() - 1]
            rest &= rest - 1
        self._next = following
        return bool(matched & self._pattern.last)


@dataclass(frozen=True)
class _Part:
    """A part of the automaton: whether it may be empty, and where it begins and ends."""

    empty: bool
    first: int
    last: int


_NOTHING = _Part(True, 0, 0)


class _Builder:
    def __init__(self) -> None:
        self._sets: list[int] = []
        self._follow: list[int] = []

    def position(self, byte_set: int) -> _Part:
        if len(self._sets) == MOST_POSITIONS:
            raise PatternError(f"more than {MOST_POSITIONS} characters when its repeats are written out")
        self._sets.append(byte_set)
        self._follow.append(0)
        bit = 1 << len(self._sets) - 1
        return _Part(False, bit, bit)

    def sequence(self, parts: list[_Part]) -> _Part:
        whole = _NOTHING
        for part in parts:
            self._connect(whole.last, part.first)
            first = whole.first | part.first if whole.empty else whole.first
            last = part.last | whole.last if part.empty else part.last
            whole = _Part(whole.empty and part.empty, first, last)
        return whole

    def repeated(self, part: _Part) -> _Part:
        self._connect(part.last, part.first)
        return part

    def copy(self, start: int, end: int, part: _Part) -> _Part:
        """Positions ``start`` .. ``end`` once more, and the part that they make."""
        shift = len(self._sets) - start
        inside = (1 << end) - (1 << start)
        for index in range(start, end):
            self.position(self._sets[index])
        for index in range(start, end):
            self._follow[index + shift] = (self._follow[index] & inside) << shift
        return _Part(part.empty, part.first << shift, part.last << shift)

    @property
    def size(self) -> int:
        return len(self._sets)

    def _connect(self, sources: int, targets: int) -> None:
        while sources:
            self._follow[(sources & -sources).bit_length() - 1] |= targets
            sources &= sources - 1

    def finish(self, whole: _Part) -> BytePattern:
        if whole.empty:
            raise PatternError("matches without any output")
        by_byte = tuple(
            sum(1 << index for index, members in enumerate(self._sets) if members >> byte & 1) for byte in range(256)
        )
        return BytePattern(by_byte, tuple(self._follow), whole.first, whole.last)


class _Parser:
    def __init__(self, text: str) -> None:
        self.builder = _Builder()
        self._text = text
        self._at = 0
        self._depth = 0

    def parse(self) -> _Part:
        whole = self._alternatives()
        if self._at < len(self._text):
            raise PatternError("')' without '('")
        return whole

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        if self._at == len(self._text):
            raise PatternError("ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _alternatives(self) -> _Part:
        choice = self._sequence()
        while self._peek() == "|":
            self._take()
            other = self._sequence()
            choice = _Part(choice.empty or other.empty, choice.first | other.first, choice.last | other.last)
        return choice

    def _sequence(self) -> _Part:
        whole = _NOTHING
        while self._peek() not in ("", "|", ")"):
            whole = self.builder.sequence([whole, self._repeat()])
        return whole

    def _repeat(self) -> _Part:
        start = self.builder.size
        atom = self._atom()
        if self._peek() not in ("*", "+", "?", "{"):
            return atom
        least, most = self._counts(self._take())
        if self._peek() in ("*", "+", "?", "{"):
            raise PatternError("a repeat of a repeat")
        return self._times(start, atom, least, most)

    def _counts(self, sign: str) -> tuple[int, int | None]:
        if sign != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        inside, brace, _ = self._text[self._at :].partition("}")
        low, comma, high = inside.partition(",")
        self._at += len(inside) + 1
        if not brace or not low.isascii() or not low.isdigit() or (high and not (high.isascii() and high.isdigit())):
            raise PatternError("'{' that is no repeat such as {3} or {1,4}")
        most = int(high) if high else None if comma else int(low)
        if not int(low) <= (int(low) if most is None else most) <= MOST_REPEATS:
            raise PatternError(f"repeats are at most {MOST_REPEATS}, and the smaller number comes first")
        return int(low), most

    def _times(self, start: int, atom: _Part, least: int, most: int | None) -> _Part:
        end = self.builder.size
        copies = max(least, 1) if most is None else most
        if copies == 0:
            return _NOTHING
        parts = [atom] + [self.builder.copy(start, end, atom) for _ in range(copies - 1)]
        if most is None:
            parts[-1] = self.builder.repeated(parts[-1])
        optional = [part if index < least else _Part(True, part.first, part.last) for index, part in enumerate(parts)]
        return self.builder.sequence(optional)

    def _atom(self) -> _Part:
        character = self._take()
        match character:
            case "(":
                return self._group()
            case "[":
                return self.builder.position(self._set())
            case ".":
                return self.builder.position(_ALL & ~_NEWLINE)
            case "\\":
                return self.builder.position(self._escape())
            case "*" | "+" | "?" | "{":
                raise PatternError(f"'{character}' has nothing to repeat")
            case "^" | "$":
                raise PatternError(
                    f"'{character}' is not supported; write \\{character} for the character, \\n for a line's end"
                )
        return self.builder.sequence([self.builder.position(1 << byte) for byte in character.encode()])

    def _group(self) -> _Part:
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise PatternError(f"more than {MOST_NESTED} nested groups")
        if self._peek() == "?":
            if self._text[self._at : self._at + 2] != "?:":
                raise PatternError("groups with '(?' other than '(?:' are not supported")
            self._at += 2
        inner = self._alternatives()
        if self._peek() != ")":
            raise PatternError("'(' without ')'")
        self._take()
        self._depth -= 1
        return inner

    def _escape(self) -> int:
        character = self._take()
        if character.lower() in _CLASSES:
            members = _CLASSES[character.lower()]
            return members if character.islower() else _ALL & ~members
        if character in _SIMPLE_ESCAPES:
            return 1 << _SIMPLE_ESCAPES[character]
        if character == "x":
            digits = self._take() + self._take()
            if not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                raise PatternError("\\x needs two hexadecimal digits")
            return 1 << int(digits, 16)
        if character in SPECIAL:
            return 1 << ord(character)
        raise PatternError(f"'\\{character}' is no escape")

    def _set(self) -> int:
        negated = self._peek() == "^"
        if negated:
            self._take()
        members, first = 0, True
        while first or self._peek() != "]":
            first = False
            low = self._member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._take()
                low = _range(low, self._member())
            members |= low
        self._take()
        return _ALL & ~members if negated else members

    def _member(self) -> int:
        character = self._take()
        if character == "\\":
            return self._escape()
        if not character.isascii():
            raise PatternError(f"'{character}' inside [] is more than one byte")
        return 1 << ord(character)


def _range(low: int, high: int) -> int:
    if low.bit_count() != 1 or high.bit_count() != 1 or low > high:
        raise PatternError("a range inside [] that is none")
    return (high << 1) - low

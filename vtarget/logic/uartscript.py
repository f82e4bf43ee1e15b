"""The language of ``--uart-script``: lines that expect output, send input and wait, in virtual time."""

from __future__ import annotations

import re

from vtarget.base.errors import InputError
from vtarget.base.units import TIME, parse
from vtarget.data.consoles import BytePattern, End, Expect, Send, Step, Wait
from vtarget.logic.bytepattern import PatternError, compile_pattern, literal

DEFAULT_SECONDS = 10.0
MOST_STEPS = 10_000
MOST_SENT_BYTES = 1 << 16
MOST_EXPECTED_BYTES = 512

_STRING = r'"(?:[^"\\]|\\.)*"'
_EXPECT = re.compile(rf"({_STRING}|/(?:[^/\\]|\\.)+/)(?:\s+within\s+(.+))?\Z")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "e": b"\x1b", "\\": b"\\", '"': b'"'}
_FORMS = 'expect "text" within 2s, expect /pattern/, send "text\\r\\n", send-hex 01 0a, wait 10ms or end'


def parse_script(text: str, name: str) -> tuple[Step, ...]:
    """The steps of a script. InputError names ``name`` and the line; empty lines and those with # are skipped."""
    steps: list[Step] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            steps.append(_step(number, line))
        except ValueError as error:
            hint = getattr(error, "hint", None)
            raise InputError(f"--uart-script {name}, line {number}: {error}", hint=hint) from None
    if len(steps) > MOST_STEPS:
        raise InputError(f"--uart-script {name}: {len(steps)} steps, at most {MOST_STEPS} are supported")
    return tuple(steps)


def _step(number: int, line: str) -> Step:
    word, *after = line.split(None, 1)
    rest = _without_comment("".join(after)).strip()
    match word:
        case "expect":
            return _expect(number, rest)
        case "send":
            if not re.fullmatch(_STRING, rest):
                raise ValueError('expected send "text", in double quotes')
            return Send(number, _checked(_unquoted(rest)))
        case "send-hex":
            return Send(number, _checked(_hex(rest)))
        case "wait":
            return Wait(number, _seconds(rest))
        case "end" if not rest:
            return End(number)
    raise ValueError(f"'{line[:60]}' is no step; expected {_FORMS}")


def _without_comment(text: str) -> str:
    """The text up to a # that stands outside of strings and patterns."""
    match = re.match(rf"\s*(?:{_STRING}|/(?:[^/\\]|\\.)+/)?[^#]*", text)
    return match[0] if match else text


def _expect(number: int, rest: str) -> Expect:
    match = _EXPECT.match(rest)
    if match is None:
        raise ValueError('expected expect "text" or expect /pattern/, then within and a time')
    what, time = match[1], match[2]
    return Expect(number, what, _pattern(what), DEFAULT_SECONDS if time is None else _seconds(time))


def _pattern(what: str) -> BytePattern:
    if what.startswith("/"):
        try:
            return compile_pattern(what[1:-1])
        except PatternError as error:
            raise ValueError(f"{what}: {error}") from None
    data = _unquoted(what)
    if not 0 < len(data) <= MOST_EXPECTED_BYTES:
        raise ValueError(f"what to expect has 1 to {MOST_EXPECTED_BYTES} bytes, not {len(data)}")
    return literal(data)


def _unquoted(text: str) -> bytes:
    data, at = b"", 0
    inside = text[1:-1]
    for match in _ESCAPE.finditer(inside):
        code = match[1]
        if len(code) == 1 and code not in _ESCAPES:
            raise ValueError(f"'\\{code}' is no escape; known: \\r \\n \\t \\0 \\e \\\\ \\\" and \\x1b")
        data += inside[at : match.start()].encode()
        data += _ESCAPES[code] if len(code) == 1 else bytes([int(code[1:], 16)])
        at = match.end()
    return data + inside[at:].encode()


def _hex(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]{2}(\s*[0-9a-fA-F]{2})*", text):
        raise ValueError("expected bytes as pairs of hexadecimal digits, such as send-hex 01 0a")
    return bytes.fromhex(text)


def _checked(data: bytes) -> bytes:
    if not 0 < len(data) <= MOST_SENT_BYTES:
        raise ValueError(f"one step sends 1 to {MOST_SENT_BYTES} bytes, not {len(data)}")
    return data


def _seconds(text: str) -> float:
    seconds = float(parse(text, TIME))
    if seconds <= 0:
        raise ValueError(f"'{text}' is no time to wait")
    return seconds

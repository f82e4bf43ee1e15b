"""Scripts for serial lines: the language, its patterns, and playing them in virtual time."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelib import Bench

from vtarget.base.errors import InputError
from vtarget.data.consoles import BytePattern, End, Expect, Send, Wait
from vtarget.logic.bytepattern import Matcher, PatternError, compile_pattern, literal
from vtarget.logic.uartscript import parse_script
from vtarget.shell.uartscript import ScriptPlayer


def first_end(pattern: BytePattern, data: bytes) -> int | None:
    """After how many bytes a match is found."""
    matcher = Matcher(pattern)
    return next((count for count, byte in enumerate(data, 1) if matcher.feed(byte)), None)


# Patterns.


@pytest.mark.parametrize(
    ("text", "data", "end"),
    [
        ("abc", b"xxabcabc", 5),
        ("aab", b"aaab", 4),
        ("a.c", b"a\nc abc", 7),
        ("[0-9]+ ms", b"took 12 ms", 10),
        ("[^a-z]", b"abcD", 4),
        ("[]x]", b"a]", 2),
        ("[a-]", b"b-", 2),
        (r"\d\d:\d\d", b"at 9:30, 10:45", 14),
        (r"\$ ", b"user$ ", 6),
        (r"[\r\n]+>", b"ok\r\n>", 5),
        (r"\x00\xff", b"a\0\xff", 3),
        (r"\W", b"ab_9!", 5),
        ("(yes|no)!", b"yes? no!", 8),
        ("(?:ab)+c", b"ababc", 5),
        ("a{3}", b"aabaaa", 6),
        ("a{2,3}b", b"ab aab", 6),
        ("a{2,}b", b"ab aaaaab", 9),
        ("x{0}y", b"y", 1),
        ("a?b", b"b", 1),
        ("(a|b*)c", b"c", 1),
        ("(a*)*b", b"aab", 3),
        ("é", "né".encode(), 3),
        ("nothing", b"something", None),
    ],
)
def test_patterns(text: str, data: bytes, end: int | None) -> None:
    assert first_end(compile_pattern(text), data) == end


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "matches without any output"),
        ("a*", "matches without any output"),
        ("a|", "matches without any output"),
        ("*a", "'*' has nothing to repeat"),
        ("a**", "a repeat of a repeat"),
        ("a*?", "a repeat of a repeat"),
        ("^a", "'^' is not supported"),
        ("a$", "'$' is not supported"),
        ("(a", "'(' without ')'"),
        ("a)", "')' without '('"),
        ("(?=a)", "groups with '(?'"),
        ("(?P<x>a)", "groups with '(?'"),
        ("[a", "ends too early"),
        ("[z-a]", "a range inside [] that is none"),
        ("[é]", "more than one byte"),
        ("\\", "ends too early"),
        (r"\1", r"'\1' is no escape"),
        (r"\xg0", "two hexadecimal digits"),
        ("a{", "'{' that is no repeat"),
        ("a{x}", "'{' that is no repeat"),
        ("a{3,1}", "the smaller number comes first"),
        ("a{256}", "repeats are at most 255"),
        ("((a{50}){50}){50}", "more than 512 characters"),
        ("(" * 21 + "a" + ")" * 21, "more than 20 nested groups"),
        ("a" * 257, "longer than 256 characters"),
    ],
)
def test_what_is_no_pattern(text: str, message: str) -> None:
    with pytest.raises(PatternError, match=re.escape(message)):
        compile_pattern(text)


def patterns() -> st.SearchStrategy[str]:
    atoms = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\d", r"\s"])
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map("({0[0]}|{0[1]})".format),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}"])).map("(?:{0[0]}){0[1]}".format),
        ),
        max_leaves=8,
    )


@given(patterns(), st.text("abc1 \n", max_size=12))
@settings(max_examples=400, deadline=None)
def test_a_match_ends_where_pythons_would_first(text: str, data: str) -> None:
    try:
        pattern = compile_pattern(text)
    except PatternError as error:
        assert re.fullmatch(text, "") or "more than 512" in str(error)
        return
    ends = [end for end in range(1, len(data) + 1) if re.search(f"(?:{text})\\Z", data[:end])]
    assert first_end(pattern, data.encode()) == (ends[0] if ends else None)


@given(st.binary(min_size=1, max_size=6), st.binary(max_size=60))
def test_a_literal_is_found_where_it_first_stands(wanted: bytes, data: bytes) -> None:
    at = data.find(wanted)
    assert first_end(literal(wanted), data) == (None if at < 0 else at + len(wanted))


def test_no_pattern_explodes() -> None:
    """These take other engines exponential time."""
    begin = time.monotonic()
    for text in ("(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*a){20}b", "(a?){30}a{30}b"):
        assert first_end(compile_pattern(text), b"a" * 2000) is None
    assert time.monotonic() - begin < 10


# The language.


def test_every_step() -> None:
    steps = parse_script(
        "# a comment\n"
        "\n"
        'expect "login: " within 2s   # another\n'
        r'send "root\r\n\x01\"#"  # sends a quote and a hash' + "\n"
        r"expect /[$#] / within 500 ms" + "\n"
        'expect "#" \n'
        "  wait 10ms\n"
        "send-hex 01 02ff\n"
        "end\n",
        "x",
    )
    assert steps == (
        Expect(3, '"login: "', literal(b"login: "), 2.0),
        Send(4, b'root\r\n\x01"#'),
        Expect(5, "/[$#] /", compile_pattern("[$#] "), 0.5),
        Expect(6, '"#"', literal(b"#"), 10.0),
        Wait(7, 0.01),
        Send(8, b"\x01\x02\xff"),
        End(9),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hello", "'hello' is no step; expected expect"),
        ("expect", "expected expect"),
        ("expect login", "expected expect"),
        ('expect "a" within', "expected expect"),
        ('expect "a" within 2', "'2' has no unit"),
        ('expect "a" within 0s', "'0s' is no time to wait"),
        ('expect "a" within 2 parsecs', "is not a time"),
        ('expect ""', "what to expect has 1 to 512 bytes, not 0"),
        ('expect "a', "expected expect"),
        ("expect /a**/", "/a**/: a repeat of a repeat"),
        ("send root", 'expected send "text"'),
        ('send ""', "one step sends 1 to 65536 bytes, not 0"),
        (r'send "\q"', r"'\q' is no escape"),
        (r'send "\x1"', r"'\x' is no escape"),
        ("send-hex 0", "pairs of hexadecimal digits"),
        ("send-hex", "pairs of hexadecimal digits"),
        ("wait", "is not a time"),
        ("wait -1s", "negative"),
        ("wait 1e9s", "is not a time"),
        ("end now", "is no step"),
    ],
)
def test_lines_that_are_no_steps(line: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_script(f"wait 1s\n{line}\n", "boot.txt")
    assert caught.value.one_line().startswith("--uart-script boot.txt, line 2: ")
    assert message in caught.value.one_line()


@given(st.text(max_size=80))
def test_no_script_breaks_the_reader(text: str) -> None:
    try:
        assert isinstance(parse_script(text, "x"), tuple)
    except InputError as error:
        assert "\n" not in error.one_line()


def test_scripts_are_bounded() -> None:
    with pytest.raises(InputError, match="10001 steps"):
        parse_script("wait 1s\n" * 10_001, "x")


def test_the_guide_s_script_is_one() -> None:
    page = (Path(__file__).parent.parent / "docs/consoles.md").read_text(encoding="utf-8")
    script = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    steps = parse_script(script, "docs/consoles.md")
    assert [type(step).__name__ for step in steps] == [
        "Expect",
        "Send",
        "Expect",
        "Wait",
        "Send",
        "Expect",
        "Send",
        "End",
    ]


# Playing.


class Play:
    """A script against a line that a test writes to."""

    def __init__(self, text: str) -> None:
        self.bench = Bench()
        self.sent: list[tuple[int, bytes]] = []
        self.player = ScriptPlayer(parse_script(text, "x"), self._feed, self.bench.after_seconds, self.bench.finish)
        self.player.start()

    def _feed(self, data: bytes, done: object) -> None:
        self.sent.append((self.bench.now, data))
        self.bench.after_seconds(0.001, done)  # type: ignore[arg-type]

    def output(self, text: bytes) -> None:
        for byte in text:
            self.player.output(byte)


def test_a_session() -> None:
    play = Play('expect "login: "\nsend "root\\r"\nwait 10ms\nexpect /[$#] /\nsend "ls\\r"\n')
    play.output(b"boot\r\nlogin:")
    assert play.sent == []
    play.bench.advance(1)
    play.output(b" ")
    assert play.sent == [(1_000_000, b"root\r")]
    play.output(b"Welcome\n$ ")  # comes before the script looks for it
    play.bench.advance(0.0105)
    assert len(play.sent) == 1
    play.bench.advance(1)
    assert play.sent == [(1_000_000, b"root\r"), (1_011_000, b"ls\r")]
    assert play.player.ended
    assert play.player.unmet is None
    assert play.bench.ends == []


def test_output_is_used_once() -> None:
    play = Play('wait 1ms\nexpect "ab"\nexpect "ab"\nsend "x"')
    play.output(b"abc")
    play.bench.advance(0.1)
    assert play.player.unmet == 'uart script line 3: "ab" did not come before the run ended'
    play.output(b"ab")
    assert play.sent == [(100_000, b"x")]


def test_an_expectation_that_is_not_met_in_time_ends_the_run() -> None:
    play = Play('\n\nexpect "login: " within 2s\nsend "x"\n')
    play.output(b"log")
    play.bench.advance(1.9)
    assert play.bench.ends == []
    play.bench.advance(0.1)
    assert play.bench.ends == [('uart script line 3: "login: " did not come within 2 s of virtual time', False)]
    assert play.player.ended
    assert play.player.unmet is None
    play.output(b"login: ")
    assert play.sent == []


def test_a_time_limit_ends_with_its_expectation() -> None:
    play = Play('expect "a" within 1s\nwait 10s\n')
    play.output(b"a")
    play.bench.advance(20)
    assert play.bench.ends == []


def test_end_ends_the_run() -> None:
    play = Play('expect /PASS|FAIL/\nend\nexpect "more"')
    play.output(b"all PASS")
    assert play.bench.ends == [("uart script line 2: end", True)]
    assert play.player.unmet is None


def test_long_scripts_don_t_nest() -> None:
    play = Play("wait 1s\n" + 'expect "a"\n' * 5000 + 'send "x"')
    play.output(b"a" * 5000)
    play.bench.advance(1)
    assert play.sent == [(1_000_000, b"x")]


def test_unread_output_is_bounded() -> None:
    play = Play('wait 1s\nexpect "first"\n')
    play.output(b"first" + b"." * 100_000)
    play.bench.advance(1)
    assert not play.player.ended

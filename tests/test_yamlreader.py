"""Reading YAML: values and their lines, and the one line that every unreadable file gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.base.errors import InputError
from vtarget.base.yamlreader import load_yaml


def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("x.yaml")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_yaml(path)
    line = caught.value.one_line()
    assert "\n" not in line
    assert caught.value.exit_code == 2
    return line


MALFORMED = [
    ("", "x.yaml: is empty"),
    ("# only a comment\n", "x.yaml: is empty"),
    ("---\n", "x.yaml: is empty"),
    ("- a\n- b\n", "x.yaml:1: the file must be a mapping (key: value)"),
    ("\njust text\n", "x.yaml:2: the file must be a mapping (key: value)"),
    ("title: a\n---\ntitle: b\n", "x.yaml:2: a second document; one file holds one (hint: remove the '---')"),
    ("title: a\ntitle: b\n", "x.yaml:2: key 'title' stands twice (first in line 1)"),
    (
        "title: a\nbest:\n  name: b\n  name: c\n",
        "x.yaml:4: key 'best.name' stands twice (first in line 3)",
    ),
    ("title: a\nbest:\n\tname: b\n", "x.yaml:3: tab in the indentation (hint: indent with spaces)"),
    (b"title: a\nnote: \xff\n", "x.yaml:2: byte 0xff is not UTF-8 text"),
    ("title: a\nnote: \x07\n", "x.yaml:2: control character '\\x07' (hint: remove it)"),
    ("title: [a\nb: c\n", "x.yaml:2: not valid YAML: did not find expected ',' or ']'"),
    ("title: 'a\n", "x.yaml:2: not valid YAML: found unexpected end of stream"),
    ("title: a: b\n", "x.yaml:1: not valid YAML: mapping values are not allowed in this context"),
    ("title: &x a\n", "x.yaml:1: anchors and aliases are not allowed ('&x') (hint: write it out)"),
    ("title: a\nbest: *x\n", "x.yaml:2: anchors and aliases are not allowed ('*x') (hint: write it out)"),
    (
        "title: !!python/name:os.system\n",
        "x.yaml:1: tags are not allowed ('tag:yaml.org,2002:python/name:os.system') (hint: remove it)",
    ),
    ("title: a\n? [b]\n: c\n", "x.yaml:2: a key must be plain text"),
    ("title: a\n'': c\n", "x.yaml:2: empty key"),
    ("title: " + "[" * 40 + "]" * 40 + "\n", "x.yaml:1: nested deeper than 32 levels"),
    ("title: a\nratio: .nan\n", "x.yaml:2: ratio: '.nan' is not a finite number"),
    ("title: a\nratio: -.inf\n", "x.yaml:2: ratio: '-.inf' is not a finite number"),
    ("title: a\nratio: 1e999\n", "x.yaml:2: ratio: '1e999' is too large a number"),
    ("title: a\ncount: " + "9" * 30 + "\n", f"x.yaml:2: count: '{'9' * 30}' is too large a number"),
]


@pytest.mark.parametrize(("content", "expected"), MALFORMED)
def test_unreadable_yaml_gets_its_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes, expected: str
) -> None:
    assert refusal(write(tmp_path, monkeypatch, content)) == expected


def test_a_file_over_one_mebibyte_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, monkeypatch, b"# " + b"x" * (1 << 20))
    assert refusal(path) == "x.yaml: is larger than 1 MiB (hint: is this a board or core file?)"


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(Path("none.yaml")) == "none.yaml: can't be read: No such file or directory"
    assert refusal(Path("none\0.yaml")) == "none\\x00.yaml: can't be read: embedded null byte"


def test_a_directory_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.yaml").mkdir()
    assert refusal(Path("d.yaml")) == "d.yaml: can't be read: Is a directory"


def test_an_alias_bomb_ends_at_its_first_anchor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"{c}: &{c} [{', '.join(['*' + p] * 9)}]\n" for p, c in zip("abcdef", "bcdefg", strict=True)
    )
    assert refusal(write(tmp_path, monkeypatch, bomb)) == (
        "x.yaml:1: anchors and aliases are not allowed ('&a') (hint: write it out)"
    )


def test_deep_nesting_of_a_whole_file_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, monkeypatch, "a: " + "[" * 500_000)
    assert refusal(path) == "x.yaml:1: nested deeper than 32 levels"


def test_scalars_follow_yaml_1_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(
        tmp_path,
        monkeypatch,
        "a: no\nb: 010\nc: 0x1F\nd: -3\ne: 1.5\nf: 2e3\ng: true\nh: null\ni: 1:30\nj: '7'\nk: 2024-01-01\nl: ''\n",
    )
    data, _ = load_yaml(path)
    assert data == {
        "a": "no",
        "b": "010",
        "c": 31,
        "d": -3,
        "e": 1.5,
        "f": 2000.0,
        "g": True,
        "h": None,
        "i": "1:30",
        "j": "7",
        "k": "2024-01-01",
        "l": "",
    }


def test_lines_of_keys_and_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, monkeypatch, "a: 1\nb:\n  - c: 2\n    d: 3\n  - {e: 4}\n")
    _, lines = load_yaml(path)
    assert {at: place.line for at, place in lines.items()} == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 0, "c"): 3,
        ("b", 0, "d"): 4,
        ("b", 1): 5,
        ("b", 1, "e"): 5,
    }
    assert str(lines.nearest(("b", 0, "zz", 7))) == "x.yaml:3"


def test_windows_line_ends_and_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, lines = load_yaml(write(tmp_path, monkeypatch, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n"))
    assert data == {"a": 1, "b": 2}
    assert lines[("b",)].line == 2


@given(content=st.one_of(st.binary(max_size=200), st.text(alphabet="ab:-[]{}&*!|>'\"\n \t#?,.0", max_size=80)))
def test_any_bytes_load_or_give_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes | str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        data, lines = load_yaml(path)
    except InputError as error:
        assert "\n" not in error.one_line()
        assert "fuzz.yaml:" in error.one_line()
    else:
        assert isinstance(data, dict)
        assert set(data) == {at[0] for at in lines if len(at) == 1}

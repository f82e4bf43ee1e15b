"""Names from files can't do harm where they are put."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.base.names import quoted, safe_comment, safe_identifier


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("model/conv2d/Relu;model/bias", "model_conv2d_Relu_model_bias"),
        ("x", "x"),
        ("3d", "x_3d"),
        ("int", "x_int"),
        ("", "unnamed"),
        ("*/ %s \n", "s"),
        ("__attribute__", "attribute"),
        ("é", "unnamed"),
        ("a" * 100, "a" * 48),
        ("1" * 100, "x_" + "1" * 46),
    ],
)
def test_identifiers(name: str, identifier: str) -> None:
    assert safe_identifier(name) == identifier


@pytest.mark.parametrize(
    ("name", "comment"),
    [
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall:0"),
        ("a */ int x; /* b", "a ? int x; ? b"),
        ("// x", "? x"),
        ("/", "/"),
        ("50%\n\\", "50?"),
        ("??/", "?"),
        ("a/b/c", "a/b/c"),
        ("x" * 90, "x" * 77 + "..."),
    ],
)
def test_comments(name: str, comment: str) -> None:
    assert safe_comment(name) == comment


@given(st.text(alphabet=st.sampled_from("a/*?%\\\n\"' #$é0")) | st.text())
def test_nothing_gets_out_of_a_comment_or_an_identifier(name: str) -> None:
    comment = safe_comment(name)
    assert re.fullmatch(r"[A-Za-z0-9 _.,:;=+\-/()\[\]<>?]{0,80}", comment)
    assert not any(bad in comment for bad in ("*/", "/*", "//", "??", "%", "\\", "\n"))
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,47}", safe_identifier(name))


def test_quoted() -> None:
    assert quoted("x") == "'x'"
    assert quoted("y" * 61) == f"'{'y' * 57}...'"

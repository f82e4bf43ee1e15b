"""What tests of building share: toolchains, one cache for all of them, and a small model."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from modelwriter import OpSpec, TensorSpec, write_model

from vtarget.shell.buildcache import BuildCache, cache_dir
from vtarget.shell.toolchain import GCC

needs_gcc = pytest.mark.skipif(shutil.which(GCC) is None, reason=f"{GCC} not found")
needs_zig = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the package ziglang not found")
KINDS = [pytest.param("gcc", marks=needs_gcc), pytest.param("zig", marks=needs_zig)]

HOSTILE = "in*/put\\\n??/\"%s'\r\t\u00e9\u202e*/ int main; /*\x00"


@cache
def shared_cache() -> BuildCache:
    """A cache that lasts as long as the tests run, so that zig builds its library once. The recorder's native code is
    the user's."""
    root, native = Path(os.environ["VTARGET_TESTS_CACHE"]) / "vtarget", cache_dir() / "native"
    root.mkdir(exist_ok=True)
    native.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (root / "native").symlink_to(native)
    return BuildCache(root)


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch) -> BuildCache:
    """Commands of the test use the tests' cache, not the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache().root.parent))
    return shared_cache()


def wide_model(arena_bytes: int) -> bytes:
    """A convolution, int8, whose input and output together take so much of the arena, to 16 bytes less."""
    rng = np.random.default_rng(1)
    pixels = arena_bytes // 16
    tensors = [
        TensorSpec((1, pixels, 1, 8), "int8", 0.05, 3, name="x"),
        TensorSpec((8, 1, 1, 8), "int8", 0.01, 0, 0, rng.integers(-127, 128, (8, 1, 1, 8))),
        TensorSpec((8,), "int32", 0.0005, 0, 0, rng.integers(-999, 999, (8,))),
        TensorSpec((1, pixels, 1, 8), "int8", 0.1, -5, name="y"),
    ]
    options = {"padding": "SAME", "stride_w": 1, "stride_h": 1}
    return write_model(tensors, [OpSpec("CONV_2D", [0, 1, 2], [3], options)], [0], [3])


def conv_model(name: str = "conv", tensor_name: str = "x") -> bytes:
    """A convolution, int8, 8x8x3 to 8x8x8, with a fused RELU."""
    rng = np.random.default_rng(1)
    scales = [0.004 * (i + 1) for i in range(8)]
    tensors = [
        TensorSpec((1, 8, 8, 3), "int8", 0.05, 3, name=tensor_name),
        TensorSpec((8, 3, 3, 3), "int8", scales, 0, 0, rng.integers(-127, 128, (8, 3, 3, 3)), name="filter"),
        TensorSpec((8,), "int32", [0.05 * s for s in scales], 0, 0, rng.integers(-999, 999, (8,)), name="bias"),
        TensorSpec((1, 8, 8, 8), "int8", 0.1, -5, name=f"y{tensor_name}"),
    ]
    options = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "fused_activation_function": "RELU"}
    return write_model(tensors, [OpSpec("CONV_2D", [0, 1, 2], [3], options)], [0], [3], name=name)

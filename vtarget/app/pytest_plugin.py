"""A pytest plugin: tests that run firmware and models on virtual boards, and hold them to budgets (home of pytest).

@pytest.mark.vtarget(board="nucleo-l4r5zi")
def test_keyword(vtarget):
    profile = vtarget.run("build/keyword.elf")
    vtarget.require(profile, "latency_ms < 20", "ram_bytes <= 65536")
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vtarget.data.modelprofile import ModelProfile
    from vtarget.data.profile import Profile

MARK = "vtarget(board, clock_hz=None): the virtual board that the fixture 'vtarget' runs on"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", MARK)


@dataclass(frozen=True)
class VirtualBoard:
    """What the fixture ``vtarget`` is: the board of the test's mark, to run firmware and models on."""

    board: str | None
    clock_hz: int | None = None

    def run(self, firmware: str | os.PathLike[str], **options: Any) -> Profile:
        """``vtarget.run`` on this board; ``board=`` names another one."""
        import vtarget

        return vtarget.run(firmware, **self._options(options))

    def profile(self, model: str | os.PathLike[str], **options: Any) -> ModelProfile:
        """``vtarget.profile`` on this board; ``board=`` names another one."""
        import vtarget

        return vtarget.profile(model, **self._options(options))

    def require(self, result: Profile | ModelProfile, *conditions: str) -> None:
        """Fail the test unless each condition, such as ``latency_ms < 20``, holds of a result."""
        from vtarget.logic.expression import condition
        from vtarget.logic.metrics import metrics_of, with_scaled

        metrics = with_scaled(metrics_of(result_json(result)))
        broken = []
        for text in conditions:
            wanted = condition(text)
            if not wanted.holds(metrics):
                values = ", ".join(f"{name} is {metrics[name]:.10g}" for name in wanted.names)
                broken.append(f"{text}: {values}")
        if broken:
            pytest.fail("; ".join(broken), pytrace=False)

    def _options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        mine = {"board": self.board, "clock_hz": self.clock_hz} | dict(options)
        if mine["board"] is None:
            pytest.fail("which board? mark the test with @pytest.mark.vtarget(board=...)", pytrace=False)
        return mine


def result_json(result: Profile | ModelProfile) -> dict[str, Any]:
    """The JSON object of a result of ``run`` or ``profile``."""
    from vtarget.data.profile import Profile
    from vtarget.logic.modelresult import model_json
    from vtarget.logic.result import profile_json

    return profile_json(result) if isinstance(result, Profile) else model_json(result)


@pytest.fixture
def vtarget(request: pytest.FixtureRequest) -> VirtualBoard:
    """The virtual board of the test's mark ``vtarget``."""
    mark = request.node.get_closest_marker("vtarget")
    return VirtualBoard(None) if mark is None else VirtualBoard(*mark.args, **mark.kwargs)

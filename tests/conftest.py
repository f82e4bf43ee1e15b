"""With VTARGET_CI set, a skipped test fails: every tool that tests need is installed there."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

# Reasons for which a test may be skipped even there: not a missing tool.
ALLOWED_REASONS = ("is another version than firmware/COMPILER names", "root may read any file")


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not os.environ.get("VTARGET_CI") or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.endswith(ALLOWED_REASONS):
        report.outcome = "failed"
        report.longrepr = f"{reason}\nVTARGET_CI is set, so nothing may be skipped"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[Any]:
    report = yield
    _refuse_skip(report)
    return report


def pytest_configure(config: pytest.Config) -> None:
    """One build cache for all processes of the tests, below the folder that ``buildlib.shared_cache`` finds here."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="vtarget-tests-", ignore_cleanup_errors=True)
        os.environ["VTARGET_TESTS_CACHE"] = folder.name
        config.add_cleanup(folder.cleanup)


def _keep_all() -> None:
    """What is there now stays: the collector needn't look through it again. Else each search, and each reset of a board
    asks for one, goes through thousands of collected tests and all that modules have cached."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    _keep_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[Any]:
    result = yield
    if nextitem is not None and nextitem.path != item.path:
        _keep_all()
    return result

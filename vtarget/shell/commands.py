"""Other programs, run with a limit on their time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from vtarget.base.errors import RunError


def run_limited(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], what: str, timeout_s: float, who: str
) -> tuple[int, str]:
    """(exit status, output) of a command. RunError if it can't be started or takes longer than ``timeout_s`` seconds,
    in which case it and all that it started are ended; ``what`` was to be done, and ``who`` didn't end."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(f"{what}: {command[0]} does not start: {error.strerror or error}") from None
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise RunError(f"{what}: {who} did not end within {timeout_s:g} s") from None
    finally:
        if process.poll() is None:
            _end(process)
    return process.returncode, output.decode("utf-8", errors="replace")


def cause(code: int) -> str:
    """What ended a process with that exit status: a signal by its name, or the status."""
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"signal {-code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()

"""Semihosting with a client that others wrote: newlib's rdimon start-up code and C library, on a bare emulated core."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from firmwarelib import build

from vtarget.data.image import Image
from vtarget.shell.boardlib import load_board
from vtarget.shell.console import Console, ConsoleInput
from vtarget.shell.engine import INTERRUPT_BKPT, Engine
from vtarget.shell.hostfiles import HostFiles
from vtarget.shell.imagefile import load_image
from vtarget.shell.semihosting import BREAKPOINT, FirmwareExit, Semihosting

PROGRAM = r"""
#include <errno.h>
#include <stdio.h>
int main(int argc, char **argv) {
    char text[64] = "", line[32] = "";
    for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
    FILE *f = fopen("out.txt", "w");
    if (!f) { printf("\nopen failed: %d\n", errno); return 3; }
    fprintf(f, "hello %d\n", 42);
    fclose(f);
    f = fopen("out.txt", "a"); fputs("more\n", f); fclose(f);
    f = fopen("out.txt", "r"); fseek(f, 6, SEEK_SET);
    int n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    printf("\nread %d: %s", n, text);
    printf("outside %d, errno %d\n", fopen("../secret", "r") == NULL, errno);
    printf("remove %d\n", remove("old.txt"));
    printf("again %d\n", remove("old.txt"));
    printf("typed: %s", fgets(line, sizeof line, stdin) ? line : "nothing\n");
    fprintf(stderr, "error text\n");
    return 7;
}
"""
STACK = 0x20090000


def _has_rdimon() -> bool:
    if shutil.which(build.COMPILER) is None:
        return False
    asked = [build.COMPILER, "-mcpu=cortex-m4", "-mthumb", "-print-file-name=rdimon-crt0.o"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return Path(found).is_absolute()


needs_rdimon = pytest.mark.skipif(not _has_rdimon(), reason=f"{build.COMPILER} with newlib's rdimon not found")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("newlib")
    (folder / "main.c").write_text(PROGRAM)
    placed = ["-Wl,-Ttext=0x20000000", "-Wl,--section-start=.init=0x20060000", f"-Wl,--defsym=__stack={STACK}"]
    flags = ["-mcpu=cortex-m4", "-mthumb", "-Os", "--specs=rdimon.specs", *placed]
    subprocess.run([build.COMPILER, *flags, "main.c", "-o", "main.elf"], cwd=folder, check=True, capture_output=True)
    return load_image(str(folder / "main.elf"))


class Run:
    """The program from its entry to its exit."""

    def __init__(self, image: Image, files: HostFiles | None, typed: bytes) -> None:
        board = load_board("nucleo-l4r5zi")
        self.engine = Engine(board)
        self.console = Console()
        stdin = ConsoleInput()
        for byte in typed:
            stdin.receive(byte)
        stdin.may_come = lambda: False
        self.semihosting = Semihosting(
            self.engine,
            self.console,
            lambda: 0,
            120_000_000,
            files=files,
            stdin=stdin,
            command_line='main.elf -n "5 6"',
            covers=board.covers,
        )
        self.exit: FirmwareExit | None = None
        for segment in image.segments:
            self.engine.write(segment.load_address, segment.data)
        self.engine.hook_interrupts(self._on_interrupt)
        self.engine.set_register(13, STACK)
        assert image.entry is not None
        fault = self.engine.run(image.entry, 0xFFFFFFFE)
        assert fault is None
        self.semihosting.close()

    def _on_interrupt(self, number: int) -> None:
        pc = self.engine.register(15)
        assert (number, self.engine.read(pc, 2)) == (INTERRUPT_BKPT, BREAKPOINT)
        result = self.semihosting.call(self.engine.register(0), self.engine.register(1))
        if isinstance(result, FirmwareExit):
            self.exit = result
            self.engine.stop()
            return
        assert isinstance(result, int)
        self.engine.set_register(0, result)
        self.engine.set_register(15, pc + 2)


@needs_rdimon
def test_a_c_program_with_files(image: Image, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/old.txt").touch()
    run = Run(image, HostFiles(str(tmp_path / "in")), b"some text\n")
    assert run.console.text == (
        "[main.elf][-n][5 6]\nread 8: 42\nmore\noutside 1, errno 13\nremove 0\nagain -1\ntyped: some text\nerror text\n"
    )
    assert run.exit == FirmwareExit(7)
    assert {p.name: p.read_text() for p in (tmp_path / "in").iterdir()} == {"out.txt": "hello 42\nmore\n"}
    assert run.semihosting.unknown == {1: 1}


@needs_rdimon
def test_a_c_program_without_files(image: Image) -> None:
    run = Run(image, None, b"")
    assert run.console.text == "[main.elf][-n][5 6]\nopen failed: 13\n"
    assert run.exit == FirmwareExit(3)

"""Builds the firmware of this folder.

    python firmware/build.py [--check] [NAME ...]

Without names: every committed ELF (examples for each target board, test programs). With names: only those sources,
like ``fir`` or ``microkernels``. ``--check`` builds to a temporary folder and compares byte for byte instead.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parent
sys.path.insert(0, str(FIRMWARE.parent))

from vtarget.logic.linkerscript import linker_script  # noqa: E402
from vtarget.shell.boardlib import load_board  # noqa: E402

COMPILER = "arm-none-eabi-gcc"
COMPILER_FILE = FIRMWARE / "COMPILER"

CORE_FLAGS: dict[str, tuple[str, ...]] = {
    "m0plus": ("-mcpu=cortex-m0plus", "-mfloat-abi=soft"),
    "m3": ("-mcpu=cortex-m3", "-mfloat-abi=soft"),
    "m4f": ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
    "m7": ("-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
    "m33": ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
}
# No contraction: multiply-adds are written where they are meant, so that every FPU gives the same bits.
FLAGS = (
    *("-mthumb", "-O2", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-ffp-contract=off"),
    *("-masm-syntax-unified", "-fno-common", "-fno-ident", "-Wall", "-Wextra", "-Werror", "-I", "common"),
    f"-ffile-prefix-map={FIRMWARE}=.",
)
LANGUAGE_FLAGS: dict[str, tuple[str, ...]] = {
    ".c": ("-std=c11",),
    ".cpp": ("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit"),
    ".S": (),
}
# The memory functions must not be turned into calls of themselves.
COMMON_FLAGS = ("-fno-tree-loop-distribute-patterns",)
LINK_FLAGS = (
    *("-nostdlib", "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,--strip-debug"),
    "-Wl,-z,max-page-size=32",
)

BOARD_OF_CORE = {"m0plus": "rpi-pico", "m4f": "nucleo-l4r5zi", "m7": "nucleo-f746zg", "m33": "nucleo-u575zi-q"}
# Boards that QEMU has too, with the cores whose code they run.
QEMU_BOARDS: dict[str, tuple[str, ...]] = {
    "mps2-an385": ("m3", "m0plus"),
    "mps2-an386": ("m4f",),
    "mps2-an500": ("m7",),
    "mps2-an505": ("m33",),
}
# Test programs that need more than the M4F target or a special build.
TEST_TARGETS: dict[str, dict[str, str]] = {
    "clock": BOARD_OF_CORE,
    "ticks": BOARD_OF_CORE,
    "weights": BOARD_OF_CORE,
    # Memory without wait states where a board has it, so that the core's own numbers show.
    "microkernels": {
        "m0plus": "rpi-pico",
        "m3": "mps2-an385",
        "m4f": "mps2-an386",
        "m7": "mps2-an500",
        "m33": "mps2-an505",
    },
}
TEST_DEFINES: dict[str, tuple[str, ...]] = {
    "return_main": ("NO_SEMIHOST_EXIT",),
    "fpu_off": ("NO_FPU_ENABLE",),
}
STARTUP_CORES = {
    "nucleo-l4r5zi": "m4f",
    "disco-f407vg": "m4f",
    "nucleo-f746zg": "m7",
    "nucleo-u575zi-q": "m33",
    "nucleo-g071rb": "m0plus",
    "nrf52840dk": "m4f",
    "rpi-pico": "m0plus",
    "apollo4p-evb": "m4f",
}
# Suffix, definitions, flags.
STARTUP_VARIANTS: dict[str, tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = {
    "nucleo-l4r5zi": (("-idle", ("IDLE_END",), ()), ("-lse", ("LSE_START",), ())),
    "nrf52840dk": (("-uart", ("LEGACY_UART",), ()),),
}
ROM_CORES = {"rp2040": "m0plus", "apollo4p": "m4f"}
# Their PSRAM is larger, but slower than the SSRAM.
QEMU_DATA_REGION = "SSRAM23"


@dataclass(frozen=True)
class Program:
    """One ELF: a source, the core it is compiled for, the board it is linked for, extra ``-D`` definitions.

    ``parts`` are further sources; ``flags`` are for these sources, behind those of the core. With a linker ``script``
    of its own it has nothing of ``common`` and needs no board.
    """

    source: Path
    core: str
    board: str
    output: str
    defines: tuple[str, ...] = ()
    parts: tuple[Path, ...] = ()
    flags: tuple[str, ...] = ()
    script: Path | None = None


def examples() -> tuple[str, ...]:
    """Names of the examples, sorted."""
    return tuple(sorted(p.stem for p in (FIRMWARE / "examples").glob("*.c")))


def example_programs() -> list[Program]:
    """The examples for the boards people have."""
    return [
        Program(FIRMWARE / "examples" / f"{name}.c", core, board, f"examples/{name}-{core}.elf")
        for name in examples()
        for core, board in BOARD_OF_CORE.items()
    ]


def test_programs() -> list[Program]:
    """The programs of ``firmware/tests``; what they are for stands in each source."""
    sources = sorted(p for p in (FIRMWARE / "tests").iterdir() if p.suffix in LANGUAGE_FLAGS)
    return [
        Program(source, core, board, f"tests/{source.stem}-{core}.elf", TEST_DEFINES.get(source.stem, ()))
        for source in sources
        for core, board in TEST_TARGETS.get(source.stem, {"m4f": BOARD_OF_CORE["m4f"]}).items()
    ]


def rtos_program(core: str, board: str, defines: tuple[str, ...] = ()) -> Program:
    """The scheduler and its demonstration for any board."""
    folder = FIRMWARE / "rtos"
    return Program(folder / "rtos.c", core, board, f"rtos/rtos-{core}.elf", defines, (folder / "demo.c",))


def exception_programs() -> list[Program]:
    """The scheduler and the exception torture test, for the boards that QEMU has too."""
    targets = [(core, board) for board, cores in QEMU_BOARDS.items() for core in cores]
    torture = FIRMWARE / "torture" / "torture.c"
    return [rtos_program(core, board) for core, board in targets] + [
        Program(torture, core, board, f"torture/torture-{core}.elf") for core, board in targets if core != "m0plus"
    ]


def startup_programs() -> list[Program]:
    """Start-up as vendors' HALs do it, for each board with and without optimisation, and other variants of some."""
    return [
        startup_program(board, suffix, defines, flags)
        for board in STARTUP_CORES
        for suffix, defines, flags in (("", (), ()), ("-O0", (), ("-O0",)), *STARTUP_VARIANTS.get(board, ()))
    ]


def startup_program(
    board: str, suffix: str = "", defines: tuple[str, ...] = (), flags: tuple[str, ...] = ()
) -> Program:
    """The start-up program of a board."""
    folder = FIRMWARE / "startups"
    parts = (folder / "app.c", folder / "hal.c")
    output = f"startups/{board}{suffix}.elf"
    return Program(folder / f"{board}.c", STARTUP_CORES[board], board, output, defines, parts, flags)


def rom_programs() -> list[Program]:
    """Substitutes for boot ROMs, each made of the sources whose names begin with that of its linker script."""
    folder = FIRMWARE / "roms"
    return [
        Program(
            script.with_suffix(".S"),
            ROM_CORES[script.stem],
            "",
            f"roms/{script.stem}.elf",
            parts=tuple(sorted(folder.glob(f"{script.stem}*.c"))),
            flags=COMMON_FLAGS,
            script=script,
        )
        for script in sorted(folder.glob("*.ld"))
    ]


def qemu_program(source: Path, core: str, board: str, iterations: int | None = None) -> Program:
    """``source`` for a board that QEMU has; ``iterations`` overrides the count compiled in."""
    defines = () if iterations is None else (f"ITERATIONS={iterations}",)
    return Program(source, core, board, f"{source.stem}-{core}-{board}.elf", defines)


def compiler_version() -> str | None:
    """First line of the compiler's ``--version``; None when there is no compiler."""
    if shutil.which(COMPILER) is None:
        return None
    done = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def build(programs: Iterable[Program], folder: Path) -> list[Path]:
    """Builds each program to ``folder / output``; raises subprocess.CalledProcessError when the compiler fails."""
    wanted = list(programs)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        keys = sorted({_common_key(p) for p in wanted if p.script is None})
        common = {key: Path(scratch) / f"common{i}" for i, key in enumerate(keys)}
        list(pool.map(lambda item: _compile_common(*item), common.items()))
        return list(pool.map(lambda p: _build_program(p, common.get(_common_key(p)), folder), wanted))


def _common_key(program: Program) -> tuple[str, tuple[str, ...]]:
    return program.core, tuple(d for d in program.defines if d.startswith("NO_"))


def _compile_common(key: tuple[str, tuple[str, ...]], folder: Path) -> None:
    folder.mkdir()
    core, defines = key
    for source in sorted((FIRMWARE / "common").glob("*.c")):
        _compile(source, core, (*COMMON_FLAGS, *(f"-D{d}" for d in defines)), folder / f"{source.stem}.o")


def _compile(source: Path, core: str, extra: Iterable[str], target: Path) -> None:
    flags = (*CORE_FLAGS[core], *FLAGS, *LANGUAGE_FLAGS[source.suffix], *extra)
    # Relative to this folder, so that no path of this machine reaches the ELF.
    name = source.relative_to(FIRMWARE) if source.is_relative_to(FIRMWARE) else source
    subprocess.run([COMPILER, *flags, "-c", str(name), "-o", str(target)], check=True, cwd=FIRMWARE)


def _build_program(program: Program, common: Path | None, folder: Path) -> Path:
    target = folder / program.output
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        script = program.script or Path(scratch) / "board.ld"
        if program.script is None:
            data = QEMU_DATA_REGION if program.board in QEMU_BOARDS else None
            script.write_text(linker_script(load_board(program.board), data=data))
        # The linker keeps the object's name as a symbol of assembly sources.
        own = {program.source: Path(scratch) / "main.o"}
        own |= {part: Path(scratch) / f"{part.stem}.o" for part in program.parts}
        for source, target_object in own.items():
            _compile(source, program.core, (*program.flags, *(f"-D{d}" for d in program.defines)), target_object)
        shared = sorted(common.glob("*.o")) if common and program.script is None else ()
        objects = [str(o) for o in (*shared, *own.values())]
        flags = (*CORE_FLAGS[program.core], "-mthumb", *LINK_FLAGS, "-T", str(script))
        subprocess.run([COMPILER, *flags, *objects, "-lgcc", "-o", str(target)], check=True)
    target.chmod(0o644)
    return target


def committed_programs() -> list[Program]:
    """Everything whose ELF is committed."""
    return example_programs() + test_programs() + exception_programs() + rom_programs() + startup_programs()


def differing(programs: Iterable[Program]) -> list[str]:
    """The outputs that a rebuild doesn't reproduce byte for byte, or that are missing."""
    wanted = list(programs)
    with tempfile.TemporaryDirectory() as scratch:
        rebuilt = build(wanted, Path(scratch))
        pairs = [(p.output, FIRMWARE / p.output, new) for p, new in zip(wanted, rebuilt, strict=True)]
        return [name for name, old, new in pairs if not old.exists() or old.read_bytes() != new.read_bytes()]


def _check(programs: list[Program]) -> int:
    changed = differing(programs)
    for name in changed:
        print(f"differs: firmware/{name}", file=sys.stderr)
    return 1 if changed else 0


def _rebuild(programs: list[Program], version: str | None) -> int:
    build(programs, FIRMWARE)
    if version is not None:
        COMPILER_FILE.write_text(version + "\n")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the firmware of this folder.")
    parser.add_argument("--check", action="store_true", help="compare a rebuild with the committed files")
    parser.add_argument("names", nargs="*", metavar="NAME", help="sources to build, without suffix; default all")
    options = parser.parse_args()
    version = compiler_version()
    if version is None:
        print(f"error: {COMPILER} not found (hint: apt install gcc-arm-none-eabi)", file=sys.stderr)
        return 2
    programs = [p for p in committed_programs() if not options.names or p.source.stem in options.names]
    unknown = set(options.names) - {p.source.stem for p in programs}
    if unknown:
        print(f"error: no source named {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    try:
        return _check(programs) if options.check else _rebuild(programs, None if options.names else version)
    except subprocess.CalledProcessError:
        return 1  # the compiler has said why


if __name__ == "__main__":
    sys.exit(main())

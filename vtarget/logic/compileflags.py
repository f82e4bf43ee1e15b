"""The options that firmware is compiled and linked with: one place for our builds and for exported build files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vtarget.base.errors import InputError
from vtarget.data.target import Target

OPTIMISATION = "-O2"
# Functions begin with a line of flash and of its cache, loops with a word: what runs together lies in fewer of them.
ALIGNMENT = ("-falign-functions=32", "-falign-loops=4")
# No C library is there, but calls of memcpy may become plain loads and stores (-fbuiltin). No contraction:
# multiply-adds are written where they are meant, so that every FPU gives the same bits.
COMPILE = (
    *("-std=c11", OPTIMISATION, "-ffreestanding", "-fbuiltin", "-ffunction-sections", "-fdata-sections"),
    *(*ALIGNMENT, "-fno-common", "-fno-ident", "-fno-math-errno", "-ffp-contract=off", "-Wall", "-Wextra"),
)
# What both compilers have, but only one of them needs to be told.
_GCC_COMPILE = ("-masm-syntax-unified",)
_ZIG_COMPILE = (
    *("-g0", "-fomit-frame-pointer", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-stack-protector"),
    *("-fno-sanitize=undefined", "-Wno-unused-command-line-argument"),
)
# The memory functions must not be turned into calls of themselves.
MEMORY_FUNCTIONS = ("-fno-builtin", "-fno-tree-loop-distribute-patterns")
LINK = ("-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,max-page-size=32")
# The page size is that of the vector table's alignment, so that sections start where the linker script puts them.

_WITHOUT_DEBUG = "\nSECTIONS\n{\n  /DISCARD/ :\n  {\n    *(.debug_*)\n    *(.comment)\n  }\n}\n"

# Core -> whether its DSP extension is optional, so that compilers must be told when it is missing.
CORES = {
    "cortex-m0": False,
    "cortex-m0plus": False,
    "cortex-m3": False,
    "cortex-m4": False,
    "cortex-m7": False,
    "cortex-m23": False,
    "cortex-m33": True,
    "cortex-m55": True,
    "cortex-m85": True,
}
# Compiled as another core, for what is common to both: the emulator has no Armv8.1-M, and GCC 12 no cortex-m85.
_COMPILED_AS = dict.fromkeys(("cortex-m55", "cortex-m85"), "cortex-m33")
_SINGLE_PRECISION = "fpv5-sp-d16"
_ZIG_FPUS = {"fpv4-sp-d16": "vfp4d16sp", "fpv5-sp-d16": "fp_armv8d16sp", "fpv5-d16": "fp_armv8d16"}


def core_flags(kind: str, target: Target) -> tuple[str, ...]:
    """What selects instruction set, floating-point unit and calling convention; ``kind`` is ``gcc`` or ``zig``.

    Raises InputError for a core that there are no options for.
    """
    if target.core not in CORES:
        raise InputError(f"no compiler options are known for core {target.core}", hint=f"known: {', '.join(CORES)}")
    if target.core in _COMPILED_AS:
        target = replace(target, core=_COMPILED_AS[target.core], fpu=target.fpu and _SINGLE_PRECISION)
    return _zig_core(target) if kind == "zig" else _gcc_core(target)


def _gcc_core(target: Target) -> tuple[str, ...]:
    without_dsp = "+nodsp" if CORES[target.core] and not target.dsp else ""
    fpu = ("-mfloat-abi=soft",) if target.fpu is None else (f"-mfpu={target.fpu}", "-mfloat-abi=hard")
    return ("-mthumb", f"-mcpu={target.core}{without_dsp}", *fpu)


def _zig_core(target: Target) -> tuple[str, ...]:
    cpu = target.core.replace("-", "_")
    features = "+dsp" if CORES[target.core] and target.dsp else ""
    features += "" if target.fpu is None else f"+{_ZIG_FPUS[target.fpu]}"
    abi = "eabi" if target.fpu is None else "eabihf"
    return ("-target", f"thumb-freestanding-{abi}", f"-mcpu={cpu}{features}")


def compile_flags(kind: str, target: Target, extra: Sequence[str] = ()) -> tuple[str, ...]:
    """Options to compile with; ``extra`` ones come last, so that they win."""
    return (*core_flags(kind, target), *COMPILE, *(_ZIG_COMPILE if kind == "zig" else _GCC_COMPILE), *extra)


def file_flags(kind: str, name: str) -> tuple[str, ...]:
    """Options of single files beyond those of all."""
    if name.rpartition("/")[2] != "memory.c":
        return ()
    return MEMORY_FUNCTIONS[:1] if kind == "zig" else MEMORY_FUNCTIONS


def link_flags(kind: str, target: Target, extra: Sequence[str] = ()) -> tuple[str, ...]:
    """Options to link with, before the objects. Debug information goes unless ``extra`` asks for it."""
    if kind == "zig":
        return (*core_flags(kind, target), *LINK, "-Wl,--entry=Reset_Handler")
    strip = () if wants_debug(extra) else ("-Wl,--strip-debug",)
    return (*core_flags(kind, target), "-nostdlib", *LINK, *strip)


def link_script(kind: str, script: str, extra: Sequence[str] = ()) -> str:
    """The linker script as this compiler's linker needs it.

    zig's own library carries debug information that names folders, and its driver strips all symbols or nothing.
    """
    if kind != "zig" or wants_debug(extra) or script.endswith(_WITHOUT_DEBUG):
        return script
    return script + _WITHOUT_DEBUG


def wants_debug(extra: Sequence[str]) -> bool:
    """Whether options of the user ask for debug information."""
    return any(flag.startswith("-g") and flag != "-g0" for flag in extra)


def link_libraries(kind: str) -> tuple[str, ...]:
    """Options after the objects: the compiler's own library, which zig adds by itself."""
    return () if kind == "zig" else ("-lgcc",)

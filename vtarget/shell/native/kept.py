"""Machine code that is kept between runs, and loaded without the compiler that made it.

Numba alone takes longer to load than most runs take, and its own cache looks at where a function's file lies, and not
at what else the code was made of: constants of the layout, functions that were inlined. So ours is kept as object
files, by a name that all of these decide, with the processor and the compilers.
"""

from __future__ import annotations

from functools import cache, cached_property
from hashlib import sha256
from importlib import import_module
from importlib.metadata import version
from typing import Any

import llvmlite
from llvmlite import binding as llvm

from vtarget.shell.buildcache import BuildCache, content_key
from vtarget.shell.nativecache import folder

MAGIC = b"vtarget native code 1\n"
_ENTRY = "vt_callback"


class Callback:
    """The recipe ``name`` of a module of this package, as a function for native code to call. It is compiled, which
    takes seconds, or taken from what earlier runs have kept, when somebody first asks for its address: no run needs
    all of them."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    @cached_property
    def address(self) -> int:
        """Where its machine code begins; it stays there."""
        cache, key = BuildCache(folder(), magic=MAGIC), content_key([self._module, self._name, *_host()])
        code = _unsealed(cache.read(key))
        if code is None:
            recipe = getattr(import_module(f"{__package__}.{self._module}"), self._name)
            code, alone = object_code(*recipe.llvm())
            if alone:
                cache.write(key, _sealed(code))
        self._engine = _loaded(code)
        return int(self._engine.get_function_address(_ENTRY))


def object_code(text: str, name: str) -> tuple[bytes, bool]:
    """An object file with the function ``name`` of an LLVM module and what it calls; whether it needs nothing of the
    compiler that made the module. What reports errors to Python does, and goes here: no error can occur in ours."""
    module = llvm.parse_assembly(text)
    for function in module.functions:
        if function.name == name:
            function.name = _ENTRY
        elif not function.is_declaration:
            function.linkage = "internal"
    builder = llvm.create_pass_builder(_machine(), llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    named = [*module.functions, *module.global_variables]
    alone = all(value.name.startswith("llvm.") for value in named if value.is_declaration)
    return bytes(_machine().emit_object(module)), alone


def _sealed(code: bytes) -> bytes:
    return MAGIC + sha256(code).digest() + code


def _unsealed(data: bytes | None) -> bytes | None:
    """The code, None if there is none or it isn't whole."""
    if data is None:
        return None
    code = data[len(MAGIC) + 32 :]
    return code if _sealed(code) == data else None


def _loaded(code: bytes) -> Any:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _new_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _host() -> tuple[str, ...]:
    """All that the code is made for and by, but for its sources."""
    processor = llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return *processor, llvmlite.__version__, version("numba")


@cache
def _machine() -> Any:
    return _new_machine()


def _new_machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(llvm.get_host_cpu_name(), features, opt=3, jit=True)

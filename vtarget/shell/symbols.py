"""Symbols and addresses as users write them on the command line."""

from __future__ import annotations

from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean
from vtarget.data.image import Function, Image


def parse_address(text: str, option: str) -> int | None:
    """An address written as a number, None if ``text`` isn't a number. InputError for one beyond 32 bits."""
    try:
        address = int(text, 0)
    except ValueError:
        return None
    if not 0 <= address < 1 << 32:
        raise InputError(f"{option}: {text} is no 32-bit address")
    return address


def resolve_address(image: Image, text: str, option: str) -> tuple[int, int]:
    """(address without Thumb bit, size_bytes; 0 if unknown) of a symbol or number. InputError for an unknown symbol."""
    address = parse_address(text, option)
    if address is not None:
        return address, 0
    function = _function(image, text)
    if function is not None:
        return function.address, function.size_bytes
    if text in image.objects:
        return image.objects[text]
    raise _unknown(image, text, option, [*image.objects, *(f.name for f in image.functions)])


def resolve_function(image: Image, text: str, option: str) -> str:
    """The kernel name of a function symbol (demangled or raw). InputError for an unknown one."""
    function = _function(image, text)
    if function is None:
        raise _unknown(image, text, option, [f.name for f in image.functions])
    return function.name


def _function(image: Image, text: str) -> Function | None:
    return next((f for f in image.functions if text in (f.name, f.raw_name)), None)


def _unknown(image: Image, text: str, option: str, names: list[str]) -> InputError:
    hint = did_you_mean(text, names) or "an address like 0x20000000 works too"
    return InputError(f"{option}: no symbol '{text}' in {image.path}", hint=hint)

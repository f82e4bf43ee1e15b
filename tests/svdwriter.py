"""Writes small SVD files."""

from __future__ import annotations

from pathlib import Path


def device(body: str, head: str = '<?xml version="1.0" encoding="utf-8"?>', *, properties: str = "") -> str:
    """An SVD file with ``body`` in its list of peripherals."""
    return (
        f'{head}<device schemaVersion="1.3"><name>CHIP</name><size>32</size><resetValue>0</resetValue>'
        f"<access>read-write</access>{properties}<peripherals>{body}</peripherals></device>"
    )


def peripheral(name: str, base: int, registers: str, more: str = "") -> str:
    """A peripheral."""
    return (
        f"<peripheral><name>{name}</name><baseAddress>{base:#x}</baseAddress>{more}"
        f"<registers>{registers}</registers></peripheral>"
    )


def register(name: str, offset: int, more: str = "") -> str:
    """A register."""
    return f"<register><name>{name}</name><addressOffset>{offset:#x}</addressOffset>{more}</register>"


def write_svd(folder: Path, text: str | bytes) -> Path:
    """The file ``chip.svd``."""
    path = folder / "chip.svd"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path

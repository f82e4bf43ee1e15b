"""What answers where no device model and no rule does: registers that behave as memory, counted for the result."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.shell.svd import SvdChip

MOST_LISTED = 20
MOST_WORDS = 1 << 16


@dataclass(eq=False)
class _Touched:
    reads: int = 0
    writes: int = 0


class PlainRegisters:
    """Words that keep what is written, first the reset values of the SVD file. It remembers MOST_WORDS of them."""

    def __init__(self, svd: SvdChip | None = None) -> None:
        self._svd = svd
        self._words: dict[int, int] = {}
        self._touched: dict[int, _Touched] = {}
        self._is_full = False

    def read(self, address: int, size_bytes: int) -> int:
        """The value at ``address``; an access never crosses a word."""
        touched = self._touch(address)
        if touched is not None:
            touched.reads += 1
        return self._word(address & ~3) >> 8 * (address & 3) & ((1 << 8 * size_bytes) - 1)

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """Keep ``value`` at ``address``; an access never crosses a word."""
        touched = self._touch(address)
        if touched is None:
            return
        touched.writes += 1
        word, shift = address & ~3, 8 * (address & 3)
        mask = ((1 << 8 * size_bytes) - 1) << shift
        self._words[word] = self._word(word) & ~mask | value << shift & mask

    def name(self, address: int) -> str:
        """What to call the register at ``address``: its SVD name, its place in a peripheral, or its address."""
        if self._svd is None:
            return f"{address:#010x}"
        register = self._svd.register_at(address)
        if register is not None:
            return register.name
        peripheral = self._svd.peripheral_at(address)
        return f"{address:#010x}" if peripheral is None else f"{peripheral.name}+{address - peripheral.base:#x}"

    def notes(self) -> tuple[str, ...]:
        """A line per register that was touched, the most touched MOST_LISTED first, and how many more there are."""
        order = sorted(self._touched.items(), key=lambda item: (-item[1].reads - item[1].writes, item[0]))
        lines = [
            f"{self.name(address)} behaves as plain memory"
            f" ({_counted(touched.reads, 'read')}, {_counted(touched.writes, 'write')})"
            for address, touched in order[:MOST_LISTED]
        ]
        more = len(order) - len(lines)
        if more:
            lines.append(f"and {_counted(more, 'more register')} {'behave' if more > 1 else 'behaves'} as plain memory")
        if self._is_full:
            lines.append(f"more than {MOST_WORDS} registers were touched: the rest read as 0 and keep nothing")
        return tuple(lines)

    def _word(self, word: int) -> int:
        if word in self._words:
            return self._words[word]
        return 0 if self._svd is None else self._svd.reset_word(word)

    def _touch(self, address: int) -> _Touched | None:
        """The counts of the register at ``address``; None if there is no room for another one."""
        register = None if self._svd is None else self._svd.register_at(address)
        key = address & ~3 if register is None else register.address
        touched = self._touched.get(key)
        if touched is None:
            if len(self._touched) >= MOST_WORDS:
                self._is_full = True
                return None
            touched = self._touched[key] = _Touched()
        return touched


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

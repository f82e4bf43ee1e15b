"""PCG32 against the arithmetic of its paper, and its streams."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vtarget.shell.devices.prng import Pcg32

# The first numbers of the reference program's demonstration, seeded with 42 and stream 54 (pcg-random.org).
DEMO = [0xA15C02B7, 0x7B47F409, 0xBA1D3330, 0x83D2F293, 0xBFA4784B, 0xCBED606E]


def test_published_sequence() -> None:
    random = Pcg32(42, 54)
    assert [random.next() for _ in DEMO] == DEMO


@given(st.integers(0, 2**64), st.integers(0, 2**62))
def test_words_have_32_bits_and_repeat_with_the_seed(seed: int, stream: int) -> None:
    one, other = Pcg32(seed, stream), Pcg32(seed, stream)
    for _ in range(5):
        word = one.next()
        assert 0 <= word < 1 << 32
        assert word == other.next()


def test_seeds_differ() -> None:
    streams = [Pcg32(seed) for seed in range(100)]
    assert len({(random.next(), random.next()) for random in streams}) == 100

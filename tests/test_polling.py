"""Which loops can only wait, on loops that GCC 12.2 makes of C, written out as halfwords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.logic.decode import Block
from vtarget.logic.polling import is_pure_poll


def block(halfwords: str, address: int = 0x8000) -> Block:
    return Block(address, b"".join(int(word, 16).to_bytes(2, "little") for word in halfwords.split()))


# uint32_t get_tick(void) { return tick; } with tick in memory
TICK_O0 = "b480 af00 4b02 681b 4618 46bd bc80 4770"  # push {r7}; add r7, sp, #0; ldr; ldr; mov; mov sp, r7; pop; bx lr
TICK_M0_O0 = "b580 af00 4b02 681b 0018 46bd bd80"
TICK_O2 = "4b01 6818 4770"

PURE = {
    # while ((CR & (1u << 17)) == 0) {}
    "flag, M4 -O0": ["4b05 681b f403 3300 2b00 d0f9"],
    "flag, M4 -O2": ["6813 039b d5fc"],
    "flag, M0+ -O0": ["4b05 681a 2380 029b 4013 d0f9"],
    "flag, M0+ -O2": ["680b 4213 d0fc"],
    # while ((CR & (1u << 25)) == 0) if (get_tick() - start > 2u) return 3;
    "tick, M4 -O0": ["4b05 681b f003 7300 2b00 d0f0", "f7ff fffe", TICK_O0, "4602 687b 1ad3 2b02 d901"],
    "tick, M4 -O2": ["680b 019b d5f7", "f7ff fffe", TICK_O2, "1a80 2802 d804"],
    "tick, M0+ -O0": ["4b05 681a 2380 049b 4013 d0f0", "f7ff fffe", TICK_M0_O0, "0002 687b 1ad3 2b02 d901"],
    "tick, M0+ -O2": ["6833 422b d0f7", "f7ff fffe", "4b01 6818 4770", "1b00 2802 d804"],
    # the count is in a register: it is the caller who sees that r3 changes
    "counted in a register, M4 -O2": ["680a 0392 d5fa", "3b01 d004"],
    "an it block": ["681b f013 0f02 bf14 2301 2300 2b00 d0f6"],
    "a callee that pushes with str": ["f84d ed04 6818 f85d fb04", "2800 d0f9"],  # str lr, [sp, #-4]!; ldr pc, [sp], #4
    "push.w and pop.w": ["e92d 41f0 6818 e8bd 81f0", "2800 d0f9"],
    "barriers and hints": ["f3bf 8f4f f3bf 8f6f bf00 bf10 6813 039b d5f6"],  # dsb; isb; nop; yield
    "reads PRIMASK": ["f3ef 8010 6813 039b d5fa"],
    "a branch to itself": ["e7fe"],
}

NOT_PURE = {
    # if (++n > 1000u) return 1; with n on the stack
    "counted on the stack, M4 -O0": ["4b06 681b f403 3300 2b00 d0f0", "687b 3301 607b 687b f5b3 7f7a d901"],
    "counted in memory, M4 -O2": ["6853 3301 6053 680b 039b d5f9"],
    "sends, M4 -O2": ["f8c0 1400 6813 07db d5fa"],
    "sleeps, wfi": ["bf30 6813 07db d5fb"],
    "sleeps, wfe": ["bf20 6813 07db d5fb"],
    "wakes others, sev": ["bf40 6813 07db d5fb"],
    "masks interrupts": ["b672 b662 6813 07db d5fa"],
    "writes PRIMASK": ["f380 8810 6813 039b d5fa"],
    "calls the supervisor": ["df01 6813 07db d5fb"],
    "semihosting": ["beab 6813 07db d5fb"],
    "an undefined instruction": ["de00 6813 07db d5fb"],
    "a byte": ["701a 6813 07db d5fb"],  # strb r2, [r3]
    "stores above SP": ["9301 6813 07db d5fb"],  # str r3, [sp, #4]
    "stores behind SP": ["f84d 3b04 6813 07db d5fa"],  # str r3, [sp], #4
    "stores several elsewhere": ["c303 6813 07db d5fb"],  # stm r3!, {r0, r1}
    "exclusive accesses": ["e851 3f00 e841 2000 2a00 d1f9"],  # ldrex; strex
    "adds floats": ["ee30 0a20 6813 07db d5fa"],  # vadd.f32 s0, s0, s1
    "pops floats": ["ecbd 8b02 6813 07db d5fa"],  # vpop {d8}
}


@pytest.mark.parametrize("name", PURE)
def test_a_loop_that_can_only_wait(name: str) -> None:
    assert is_pure_poll(block(halfwords) for halfwords in PURE[name])


@pytest.mark.parametrize("name", NOT_PURE)
def test_a_loop_that_does_something(name: str) -> None:
    assert not is_pure_poll(block(halfwords) for halfwords in NOT_PURE[name])


def test_no_blocks_are_no_loop() -> None:
    assert not is_pure_poll([])


@given(st.permutations([block(h) for h in PURE["tick, M4 -O0"]]), st.sampled_from(sorted(NOT_PURE)))
def test_one_impure_block_anywhere_decides(pure: list[Block], name: str) -> None:
    assert is_pure_poll(pure)
    for place in range(len(pure) + 1):
        spoilt = [*pure[:place], *(block(h) for h in NOT_PURE[name]), *pure[place:]]
        assert not is_pure_poll(spoilt)

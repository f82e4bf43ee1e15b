"""Flash interface of the STM32U575 and U585 (RM0456 chapter 7), the secure state absent.

A page's erase takes 1.5 ms (DS13737, recalled). ``option_bytes`` is OPTR: 0x1FEFF8AA as delivered (recalled).
"""

from __future__ import annotations

from functools import partial

from vtarget.shell.devices.stm32_flash_core import ACR, PRFTEN, Factory, Layout, Stm32Flash

LAYOUT = Layout(
    keyr=0x08,
    optkeyr=0x10,
    sr=0x20,
    cr=0x28,
    options=0x40,
    option_control=0x28,
    option_lock=1 << 30,
    option_start=1 << 17,
    erases=1 << 1 | 1 << 2 | 1 << 15,
    latency=0xF,
    erase_us=1500,
    switches=PRFTEN,
    reset_words={ACR: 0, 0x28: 0xC000_0000, 0x2C: 0x8000_0000, 0x40: 0x1FEF_F8AA},
)

MODELS: dict[str, Factory] = {"": partial(Stm32Flash, layout=LAYOUT)}

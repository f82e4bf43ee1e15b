"""Flash interface of the STM32L4 and L4+ (RM0432 chapter 3). A page's erase takes 22 ms (DS12023, recalled).

``option_bytes`` is OPTR: 0xFFEFF8AA as delivered, two banks (recalled).
"""

from __future__ import annotations

from functools import partial

from vtarget.shell.devices.stm32_flash_core import ACR, DCEN, ICEN, PRFTEN, Factory, Layout, Stm32Flash

LAYOUT = Layout(
    keyr=0x08,
    optkeyr=0x0C,
    sr=0x10,
    cr=0x14,
    options=0x20,
    option_control=0x14,
    option_lock=1 << 30,
    option_start=1 << 17,
    erases=1 << 1 | 1 << 2 | 1 << 15,
    latency=0xF,
    erase_us=22_000,
    switches=PRFTEN | ICEN | DCEN,
    reset_words={ACR: 0x600, 0x14: 0xC000_0000, 0x20: 0xFFEF_F8AA},
)

MODELS: dict[str, Factory] = {"": partial(Stm32Flash, layout=LAYOUT)}

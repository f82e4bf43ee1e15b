"""Flash interface of the STM32G0 (RM0444 chapter 3). A page's erase takes 22 ms (DS12232, recalled).

``option_bytes`` is OPTR: 0xDFFFE1AA as delivered (recalled).
"""

from __future__ import annotations

from functools import partial

from vtarget.shell.devices.stm32_flash_core import ACR, ICEN, PRFTEN, Factory, Layout, Stm32Flash

LAYOUT = Layout(
    keyr=0x08,
    optkeyr=0x0C,
    sr=0x10,
    cr=0x14,
    options=0x20,
    option_control=0x14,
    option_lock=1 << 30,
    option_start=1 << 17,
    erases=1 << 1 | 1 << 2,
    latency=0x7,
    erase_us=22_000,
    switches=PRFTEN | ICEN,
    reset_words={ACR: 0x0004_0600, 0x14: 0xC000_0000, 0x20: 0xDFFF_E1AA},
)

MODELS: dict[str, Factory] = {"": partial(Stm32Flash, layout=LAYOUT)}

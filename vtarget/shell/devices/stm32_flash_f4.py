"""Flash interface of the STM32F405/F407 (RM0090 chapter 3, ``f4``) and of the F74x and F75x (RM0385 chapter 3, ``f7``).

Any erase takes 1 s, as the largest sectors do with 32-bit parallelism (DS8626, recalled). ``option_bytes`` is OPTCR.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from vtarget.shell.devices.stm32_flash_core import ACR, ARTEN, DCEN, ICEN, LOCK, PRFTEN, Factory, Layout, Stm32Flash

KEYR, OPTKEYR, SR, CR, OPTCR, OPTCR1 = 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18

F4_LAYOUT = Layout(
    keyr=KEYR,
    optkeyr=OPTKEYR,
    sr=SR,
    cr=CR,
    options=OPTCR,
    option_control=OPTCR,
    option_lock=1 << 0,
    option_start=1 << 1,
    erases=1 << 1 | 1 << 2,
    latency=0x7,
    erase_us=1_000_000,
    switches=PRFTEN | ICEN | DCEN,
    reset_words={ACR: 0, CR: LOCK, OPTCR: 0x0FFF_AAED},
)
F7_LAYOUT = replace(
    F4_LAYOUT,
    latency=0xF,
    switches=PRFTEN | ARTEN,
    reset_words={ACR: 0, CR: LOCK, OPTCR: 0xC0FF_AAFD, OPTCR1: 0x0040_0080},
)

MODELS: dict[str, Factory] = {
    "f4": partial(Stm32Flash, layout=F4_LAYOUT),
    "f7": partial(Stm32Flash, layout=F7_LAYOUT),
}

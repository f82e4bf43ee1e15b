"""The system control block, the NVIC's registers, and the storage of the FPU's and MPU's.

Addresses and reset values: Armv7-M ARM (DDI 0403) B3.2, B3.4 and B3.5, Armv6-M ARM (DDI 0419) B3.2, Armv8-M ARM
(DDI 0553) D1.2; CPUID values from the cores' reference manuals.
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.data.exceptions import Vector
from vtarget.shell.nvic import FAULT_MASK, Nvic, members

ICTR, ACTLR = 0xE000E004, 0xE000E008
ISER, ICER, ISPR, ICPR, IABR, IPR = 0xE000E100, 0xE000E180, 0xE000E200, 0xE000E280, 0xE000E300, 0xE000E400
IPR_END = IPR + 496
CPUID, ICSR, VTOR, AIRCR, SCR, CCR = 0xE000ED00, 0xE000ED04, 0xE000ED08, 0xE000ED0C, 0xE000ED10, 0xE000ED14
SHPR1, SHPR3, SHCSR, CFSR, HFSR, DFSR = 0xE000ED18, 0xE000ED20, 0xE000ED24, 0xE000ED28, 0xE000ED2C, 0xE000ED30
MMFAR, BFAR, AFSR, CPACR, MPU_TYPE, MPU_CTRL = (
    0xE000ED34, 0xE000ED38, 0xE000ED3C, 0xE000ED88, 0xE000ED90, 0xE000ED94,
)  # fmt: skip
STIR, FPCCR, FPCAR, FPDSCR, MVFR0 = 0xE000EF00, 0xE000EF34, 0xE000EF38, 0xE000EF3C, 0xE000EF40
CLIDR, CTR, CCSIDR, CSSELR = 0xE000ED78, 0xE000ED7C, 0xE000ED80, 0xE000ED84

CPUID_VALUES = {
    "cortex-m0": 0x410CC200,
    "cortex-m0plus": 0x410CC601,
    "cortex-m3": 0x412FC231,
    "cortex-m4": 0x410FC241,
    "cortex-m7": 0x411FC271,
    "cortex-m23": 0x411CD200,
    "cortex-m33": 0x410FD213,
    "cortex-m55": 0x410FD221,
    "cortex-m85": 0x411FD230,
}
BASELINE_CORES = frozenset({"cortex-m0", "cortex-m0plus", "cortex-m23"})
CP10_CP11_FULL, CP10_CP11_PRIVILEGED = 0xF << 20, 0x5 << 20
VECTKEY, VECTKEYSTAT, SYSRESETREQ = 0x05FA, 0xFA05, 1 << 2
NMIPENDSET, PENDSVSET, PENDSVCLR, PENDSTSET, PENDSTCLR = 1 << 31, 1 << 28, 1 << 27, 1 << 26, 1 << 25
ISRPENDING, RETTOBASE = 1 << 22, 1 << 11
SLEEPONEXIT, SLEEPDEEP, SEVONPEND = 2, 4, 16
CACHES = (("SCB.IC", 1 << 17), ("SCB.DC", 1 << 16))  # CCR's bits that switch the M7's caches (DDI 0403 B3.2.8)
NONBASETHRDENA, UNALIGN_TRP, DIV_0_TRP, STKALIGN = 1, 8, 16, 1 << 9
ASPEN, LSPEN, LSPACT = 1 << 31, 1 << 30, 1
# SHCSR: bit of each exception's active, pended and enable flag (B3.2.13).
ACTIVE_BITS = {Vector.MEM_MANAGE: 0, Vector.BUS_FAULT: 1, Vector.USAGE_FAULT: 3, Vector.SVCALL: 7,
               Vector.DEBUG_MONITOR: 8, Vector.PENDSV: 10, Vector.SYSTICK: 11}  # fmt: skip
PENDED_BITS = {Vector.USAGE_FAULT: 12, Vector.MEM_MANAGE: 13, Vector.BUS_FAULT: 14, Vector.SVCALL: 15}
ENABLE_BITS = {Vector.MEM_MANAGE: 16, Vector.BUS_FAULT: 17, Vector.USAGE_FAULT: 18}
# Registers of the FPU's and cache's identity (TRMs of the cores: MVFR0..2; M7: DDI 0489 4.3).
MVFR = {"fpv4-sp": (0x10110021, 0x11000011, 0), "fpv5-sp": (0x10110021, 0x11000011, 0x40),
        "fpv5-dp": (0x10110221, 0x12000011, 0x40)}  # fmt: skip
CACHE_IDENTITY = {"cortex-m7": {CLIDR: 0x09000003, CTR: 0x8303C003}}
# CCSIDR of the M7's caches (DDI 0489, 4.3.4): lines of 32 bytes; the instruction cache has 2 ways, the data cache 4.
LINE_BYTES, INSTRUCTION_WAYS, DATA_WAYS, CACHE_KINDS = 32, 2, 4, 0xF0000001
# Cache maintenance that empties (DDI 0403 B2.2.7): all instructions; the line at an address; by set and way.
ICIALLU, ICIMVAU, DCIMVAC, DCISW, DCCIMVAC, DCCISW = (
    0xE000EF50, 0xE000EF58, 0xE000EF5C, 0xE000EF60, 0xE000EF70, 0xE000EF74,
)  # fmt: skip
SET_BITS = (1 << 30) - LINE_BYTES  # of a value by set and way; the way of a data cache of four is above
STORAGE = ((ACTLR, ACTLR + 4), (AFSR, AFSR + 4), (MPU_TYPE, 0xE000EDC8), (CSSELR, CSSELR + 4), (0xE000EDD0, 0xE000EDF0),
           (FPDSCR, FPDSCR + 4), (0xE000EF50, 0xE000EFB0), (0xE000ED40, 0xE000ED78), (DFSR, DFSR + 4))  # fmt: skip


class SystemControl:
    """Registers 0xE000E000..0xE000F000 but SysTick's. ``ipsr`` tells the running exception's number; ``changed`` is
    called when a write may have changed what the core does next (sleep, faults, FPU, reset)."""

    def __init__(
        self, core: str, fpu: str | None, nvic: Nvic, vector_table: int, ipsr: Callable[[], int], mpu_regions: int
    ) -> None:
        self.nvic = nvic
        self.reset_requested = False
        self.on_ccr: Callable[[], None] = lambda: None
        self.on_reset: Callable[[], None] = lambda: None
        self.on_switch: Callable[[str, bool], None] = lambda _name, _on: None
        self.on_invalidate: Callable[[str, int | None, int | None], None] = lambda _name, _address, _way: None
        self.fp_active: Callable[[], bool] = lambda: False  # CONTROL.FPCA
        self.notes: set[str] = set()
        self._core = core
        self._fpu = fpu
        self._ipsr = ipsr
        self._baseline = core in BASELINE_CORES
        self._words: dict[int, int] = {VTOR: vector_table, CCR: STKALIGN, MPU_TYPE: mpu_regions << 8}
        if self._baseline:
            self._words[CCR] |= UNALIGN_TRP
        if fpu is not None:
            self._words[FPCCR] = ASPEN | LSPEN
            self._words.update(zip((MVFR0, MVFR0 + 4, MVFR0 + 8), MVFR[fpu], strict=True))
        self._words.update(CACHE_IDENTITY.get(core, {}))
        self._ccsidr = (0, 0)  # data, instruction

    def request_reset(self) -> None:
        """The core is to be reset, by itself or by a device."""
        self.reset_requested = True
        self.on_reset()

    def set_caches(self, instruction_bytes: int | None, data_bytes: int | None) -> None:
        """The chip's L1 caches, as CCSIDR tells their geometry."""
        self._ccsidr = (_geometry(data_bytes, DATA_WAYS), _geometry(instruction_bytes, INSTRUCTION_WAYS))

    @property
    def has_fpu(self) -> bool:
        """Whether the core has an FPU."""
        return self._fpu is not None

    @property
    def fpu_enabled(self) -> bool:
        """Whether the firmware gave itself access to CP10 and CP11, if only privileged access."""
        return self._fpu is not None and self._words.get(CPACR, 0) & CP10_CP11_PRIVILEGED == CP10_CP11_PRIVILEGED

    def word(self, address: int) -> int:
        """A stored register, without side effects."""
        return self._words.get(address, 0)

    def set_word(self, address: int, value: int) -> None:
        """Set a stored register as the core itself does (fault status, FPCAR)."""
        self._words[address] = value

    def read_word(self, address: int) -> int | None:
        """Value of a register; None if there is none at ``address``."""
        if ISER <= address < IPR_END:
            return self._read_nvic(address)
        match address:
            case _ if address == CPUID:
                return CPUID_VALUES.get(self._core, 0)
            case _ if address == ICSR:
                return self._icsr()
            case _ if address == CCSIDR:
                return self._ccsidr[self._words.get(CSSELR, 0) & 1]
            case _ if address == AIRCR:
                return VECTKEYSTAT << 16 | self.nvic.prigroup << 8
            case _ if address == SHCSR:
                return self._shcsr()
            case _ if SHPR1 <= address <= SHPR3:
                return self.nvic.read_priorities(4 + address - SHPR1)
            case _ if address == ICTR:
                return -(-self.nvic.lines // 32) - 1
            case _ if address == FPCCR and self._words.get(FPCCR, 0) & LSPACT and self.fp_active():
                return self._words[FPCCR] & ~LSPACT  # the handler's first FP instruction has saved the state
            case _ if self._is_stored(address):
                return self._words.get(address, 0)
        return None

    def write_word(self, address: int, value: int) -> bool:
        """Write a register; False if there is none at ``address``."""
        if ISER <= address < IPR_END:
            self._write_nvic(address, value)
        elif address in (CPUID, ICTR, MPU_TYPE):
            pass
        elif address == ICSR:
            self._write_icsr(value)
        elif address == AIRCR:
            self._write_aircr(value)
        elif address == SHCSR:
            self._write_shcsr(value)
        elif SHPR1 <= address <= SHPR3:
            self.nvic.write_priorities(4 + address - SHPR1, value)
        elif address == STIR:
            self.nvic.pend_mask(self.nvic.word_mask(0, 1 << (value & 0x1FF)))
        elif address in (CFSR, HFSR, DFSR):
            self._words[address] = self._words.get(address, 0) & ~value
        elif self._is_stored(address):
            self._store(address, value)
            if self._core in CACHE_IDENTITY:
                self._invalidate(address, value)
        else:
            return False
        return True

    def _invalidate(self, operation: int, value: int) -> None:
        if operation == ICIALLU:
            self.on_invalidate("SCB.IC", None, None)
        elif operation == ICIMVAU:
            self.on_invalidate("SCB.IC", value, None)
        elif operation in (DCIMVAC, DCCIMVAC):
            self.on_invalidate("SCB.DC", value, None)
        elif operation in (DCISW, DCCISW):
            self.on_invalidate("SCB.DC", value & SET_BITS, value >> 30)

    def _is_stored(self, address: int) -> bool:
        return address in (VTOR, SCR, CCR, CFSR, HFSR, MMFAR, BFAR, CPACR, FPCCR, FPCAR, MVFR0, MVFR0 + 4, MVFR0 + 8,
                           CLIDR, CTR, CCSIDR) or any(low <= address < high for low, high in STORAGE)  # fmt: skip

    def _store(self, address: int, value: int) -> None:
        if address == CPACR and self._fpu is None:
            value &= ~CP10_CP11_FULL
        elif address == VTOR:
            value &= 0xFFFFFF80
        elif address == CCR and self._baseline:
            return
        elif address == CCR and value & UNALIGN_TRP and not self._words[CCR] & UNALIGN_TRP:
            self.notes.add("CCR.UNALIGN_TRP is set, but unaligned accesses are not trapped")
        elif address == MPU_CTRL and value & 1:
            self.notes.add("the MPU is enabled, but its regions are not enforced")
        elif address in (MVFR0, MVFR0 + 4, MVFR0 + 8, CLIDR, CTR, CCSIDR):
            return
        elif address == FPDSCR and value:
            self.notes.add("FPDSCR is set, but new floating-point contexts begin with an FPSCR of 0")
        changed = self._words.get(address, 0) ^ value
        self._words[address] = value
        if address == CCR:
            self.on_ccr()
            for name, bit in CACHES if self._core in CACHE_IDENTITY else ():
                if changed & bit:
                    self.on_switch(name, bool(value & bit))

    # NVIC.

    def _read_nvic(self, address: int) -> int:
        nvic, word = self.nvic, (address & 0x7F) // 4
        if address >= IPR:
            return nvic.read_priorities(Vector.EXTERNAL + address - IPR)
        if address >= IABR:
            return nvic.read_bits(nvic.active, word) if address < IABR + 0x80 else 0
        return nvic.read_bits(nvic.pending if address >= ISPR else nvic.enabled, word)

    def _write_nvic(self, address: int, value: int) -> None:
        nvic = self.nvic
        if address >= IPR:
            nvic.write_priorities(Vector.EXTERNAL + address - IPR, value)
            return
        mask = nvic.word_mask((address & 0x7F) // 4, value)
        if address < ICER:
            nvic.enable(mask)
        elif address < ISPR:
            nvic.disable(mask)
        elif address < ICPR:
            nvic.pend_mask(mask)
        elif address < IABR:
            for number in members(mask & nvic.pending):
                nvic.unpend(number)

    # SCB.

    def _icsr(self) -> int:
        nvic, running = self.nvic, self._ipsr()
        ready = nvic.pending & nvic.enabled
        first = min(members(ready), key=lambda n: (nvic.priority(n), n), default=0)
        flags = {NMIPENDSET: Vector.NMI, PENDSVSET: Vector.PENDSV, PENDSTSET: Vector.SYSTICK}
        value = sum(flag for flag, number in flags.items() if nvic.pending >> number & 1)
        value |= ISRPENDING if nvic.pending & nvic.external_mask else 0
        if not self._baseline and not nvic.active & ~(1 << running):
            value |= RETTOBASE
        return value | first << 12 | running

    def _write_icsr(self, value: int) -> None:
        nvic = self.nvic
        for flag, number in ((PENDSVCLR, Vector.PENDSV), (PENDSTCLR, Vector.SYSTICK)):
            if value & flag:
                nvic.unpend(number)
        for flag, number in ((NMIPENDSET, Vector.NMI), (PENDSVSET, Vector.PENDSV), (PENDSTSET, Vector.SYSTICK)):
            if value & flag:
                nvic.pend(number)

    def _write_aircr(self, value: int) -> None:
        if value >> 16 != VECTKEY:
            return
        self.nvic.set_prigroup(value >> 8)
        if value & SYSRESETREQ:
            self.request_reset()

    def _shcsr(self) -> int:
        nvic = self.nvic
        value = sum(1 << bit for number, bit in PENDED_BITS.items() if nvic.pending >> number & 1)
        if self._baseline:
            return value & 1 << PENDED_BITS[Vector.SVCALL]
        value |= sum(1 << bit for number, bit in ACTIVE_BITS.items() if nvic.active >> number & 1)
        return value | sum(1 << bit for number, bit in ENABLE_BITS.items() if nvic.enabled >> number & 1)

    def _write_shcsr(self, value: int) -> None:
        nvic = self.nvic
        for number, bit in PENDED_BITS.items():
            if value >> bit & 1 and not nvic.pending >> number & 1:
                nvic.pend(number)
            elif not value >> bit & 1:
                nvic.unpend(number)
        if self._baseline:
            return
        for number, bit in ACTIVE_BITS.items():
            nvic.active = nvic.active & ~(1 << number) | (value >> bit & 1) << number
        nvic.disable(FAULT_MASK)
        nvic.enable(sum(1 << number for number, bit in ENABLE_BITS.items() if value >> bit & 1))


def _geometry(size_bytes: int | None, ways: int) -> int:
    """CCSIDR of a cache; 0 if there is none."""
    if not size_bytes:
        return 0
    sets = size_bytes // (LINE_BYTES * ways)
    return CACHE_KINDS | (sets - 1) << 13 | (ways - 1) << 3

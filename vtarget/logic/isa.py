"""What the Thumb mnemonics of Armv6-M to Armv8-M mean: kind, control flow, required feature, operand roles.

Names are lower case without condition, width suffix and flag-setting ``s``; ``types`` are the data types of a
floating-point mnemonic (``("f32",)``).
"""

from __future__ import annotations

import re

from vtarget.data.insn import Feature, Kind


def _names(line: str) -> frozenset[str]:
    return frozenset(line.split())


def _kinds() -> dict[str, Kind]:
    names = {
        Kind.ALU: "add addw adc sub subw sbc rsb and orr orn eor bic mov movw movt mvn cmp cmn tst teq lsl lsr asr ror "
        "rrx adr clz rbit rev rev16 revsh sxtb sxth uxtb uxth bfi bfc sbfx ubfx",
        Kind.MUL: "mul",
        Kind.MLA: "mla mls",
        Kind.LONG_MUL: "umull smull",
        Kind.LONG_MLA: "umlal smlal umaal",
        Kind.DIVIDE: "sdiv udiv",
        Kind.DSP: "ssat usat",
        Kind.LOAD: "ldr ldrb ldrh ldrsb ldrsh ldrt ldrbt ldrht ldrsbt ldrsht lda ldab ldah",
        Kind.STORE: "str strb strh strt strbt strht stl stlb stlh",
        Kind.LOAD_PAIR: "ldrd",
        Kind.STORE_PAIR: "strd",
        Kind.LOAD_MULTIPLE: "ldm ldmdb pop",
        Kind.STORE_MULTIPLE: "stm stmdb push",
        Kind.LOAD_EXCLUSIVE: "ldrex ldrexb ldrexh ldaex ldaexb ldaexh",
        Kind.STORE_EXCLUSIVE: "strex strexb strexh stlex stlexb stlexh",
        Kind.BRANCH: "b cbz cbnz bx bxns",
        Kind.CALL: "bl blx blxns",
        Kind.TABLE_BRANCH: "tbb tbh",
        Kind.NOP: "nop nop.w yield sev sevl csdb dbg hint clrex pld pldw pli sg",
        Kind.SYSTEM: "mrs msr cpsid cpsie tt ttt tta ttat vlldm vlstm",
        Kind.BARRIER: "dmb dsb isb ssbb pssbb",
        Kind.WAIT: "wfi wfe",
        Kind.BREAKPOINT: "bkpt",
        Kind.SVC: "svc",
        Kind.UNDEFINED: "udf",
        Kind.FP_ALU: "vabs vneg vadd vsub vmul vnmul vcmp vcmpe vcvt vcvtr vcvtb vcvtt vcvta vcvtn vcvtp vcvtm vmaxnm "
        "vminnm vrinta vrintn vrintp vrintm vrintr vrintx vrintz vseleq vselvs vselge vselgt",
        Kind.FP_MAC: "vmla vmls vnmla vnmls vfma vfms vfnma vfnms",
        Kind.FP_DIVIDE: "vdiv vsqrt",
        Kind.FP_MOVE: "vmov vmrs vmsr",
        Kind.FP_LOAD: "vldr",
        Kind.FP_STORE: "vstr",
        Kind.FP_LOAD_MULTIPLE: "vldm vldmia vldmdb vpop",
        Kind.FP_STORE_MULTIPLE: "vstm vstmia vstmdb vpush",
    }
    return {name: kind for kind, line in names.items() for name in line.split()}


_KIND = _kinds()
_DSP = re.compile(
    r"(qd?(add|sub)|(s|u|q|uq|sh|uh)(add8|add16|sub8|sub16|asx|sax)|sel|usada?8|sm(la|ls|ul|ua|us|m)[a-z]*"
    r"|pkh(bt|tb)|[su]xta(b|b16|h)|[su]xtb16|[su]sat16)\Z"
)
# 32-bit encodings that Armv6-M has; Armv8-M baseline adds the second set.
_WIDE_V6 = _names("bl dmb dsb isb mrs msr udf")
_BASELINE_V8 = _names("b cbz cbnz movw movt sdiv udiv ldrex ldrexb ldrexh strex strexb strexh clrex")
_ARMV8M = _names(
    "lda ldab ldah stl stlb stlh ldaex ldaexb ldaexh stlex stlexb stlexh sg tt ttt tta ttat bxns blxns vlldm vlstm"
)
_FP_V5 = re.compile(r"v(sel(eq|vs|ge|gt)|(max|min)nm|rint[a-z]|cvt[anpm])\Z")

_NO_RESULT = _names(
    "cmp cmn tst teq cbz cbnz bx bxns blx blxns tbb tbh msr vmsr vcmp vcmpe str strb strh strt strbt strht "
    "stl stlb stlh strd pld pldw pli vstr svc bkpt udf vlldm vlstm"
)
_UNARY = _names(
    "mov movw mvn adr clz rbit rev rev16 revsh sxtb sxth uxtb uxth sxtb16 uxtb16 rrx mrs tt ttt tta ttat ssat usat "
    "ssat16 usat16"
)
_KEEPS_RESULT = _names("movt bfi bfc umlal smlal umaal")
_LONG_DSP = re.compile(r"sml[as]ld?x?(bb|bt|tb|tt)?\Z|smlald?x?\Z|smlsldx?\Z")
_READS_FLAGS = _names("adc sbc rrx vseleq vselvs vselge vselgt")
_COMPARES = _names("cmp cmn tst teq")
_DOWNWARDS = _names("ldmdb stmdb push vldmdb vstmdb vpush")
_SMALL = {"b": 1, "h": 2}
_MEMORY = re.compile(r"(ldr|str)(ex)?s?([bh]?)t?\Z|(lda|stl)(ex)?([bh]?)\Z")


def kind_of(name: str) -> Kind | None:
    """The kind of a mnemonic; None for what no M-profile core executes."""
    kind = _KIND.get(name)
    if kind is None and _DSP.match(name):
        return Kind.DSP
    return kind


def feature_of(name: str, types: tuple[str, ...], size: int, conditional: bool) -> Feature:
    """The feature needed to execute it; ``conditional``: the encoding itself has a condition (B<c>.W)."""
    if name in _ARMV8M:
        return Feature.ARMV8M
    if name.startswith("v"):
        return _fp_feature(name, types)
    if name == "umaal" or (name not in _KIND and _DSP.match(name)):
        return Feature.DSP
    if name.startswith("cb"):
        return Feature.BASELINE_V8
    if name.startswith("it"):
        return Feature.THUMB2
    if size == 2 or name in _WIDE_V6:
        return Feature.THUMB1
    return Feature.BASELINE_V8 if name in _BASELINE_V8 and not conditional else Feature.THUMB2


def _fp_feature(name: str, types: tuple[str, ...]) -> Feature:
    if "f64" in types:
        return Feature.FP_DOUBLE
    return Feature.FP_V5 if _FP_V5.match(name) else Feature.FP_SINGLE


def result_count(name: str, kind: Kind, operand_count: int, first_two_same_file: bool) -> int:
    """How many leading register operands are written. ``first_two_same_file``: both core or both float registers."""
    if name in _NO_RESULT or kind in (Kind.STORE_MULTIPLE, Kind.FP_STORE_MULTIPLE):
        return 0
    if kind in (Kind.LONG_MUL, Kind.LONG_MLA, Kind.LOAD_PAIR) or is_long_dsp(name, operand_count):
        return 2
    if name == "vmov" and operand_count >= 3 and first_two_same_file:
        return 2
    return 1


def is_long_dsp(name: str, operand_count: int) -> bool:
    """Whether a DSP multiply accumulates into a register pair (SMLALxy, SMLALD, SMLSLD)."""
    return operand_count == 4 and _LONG_DSP.match(name) is not None and name.startswith(("smlal", "smlsl"))


def reads_result(name: str, kind: Kind, operand_count: int) -> bool:
    """Whether the result registers are inputs as well (accumulators, inserts, ``adds r0, #1``)."""
    if name in _KEEPS_RESULT or kind is Kind.FP_MAC or is_long_dsp(name, operand_count):
        return True
    plain = kind in (Kind.ALU, Kind.MUL, Kind.DSP)
    return plain and operand_count == 2 and name not in _UNARY


def reads_flags(name: str) -> bool:
    """Whether the operation (not its condition) needs the flags."""
    return name in _READS_FLAGS


def is_compare(name: str) -> bool:
    """Whether it sets flags and nothing else."""
    return name in _COMPARES


def is_downwards(name: str) -> bool:
    """Whether a multiple transfer decrements its base before (PUSH, STMDB, …)."""
    return name in _DOWNWARDS


def access_bytes(name: str, kind: Kind) -> int:
    """Bytes of one transfer: 1, 2 or 4; 0 for what doesn't access memory (TBB and TBH read their table)."""
    if kind is Kind.TABLE_BRANCH:
        return 1 if name == "tbb" else 2
    if kind not in MEMORY_KINDS:
        return 0
    found = _MEMORY.match(name)
    return _SMALL.get((found[3] or found[6] or "") if found else "", 4)


LOADS = frozenset(
    {Kind.LOAD, Kind.LOAD_PAIR, Kind.LOAD_MULTIPLE, Kind.LOAD_EXCLUSIVE, Kind.FP_LOAD, Kind.FP_LOAD_MULTIPLE}
)
STORES = frozenset(
    {Kind.STORE, Kind.STORE_PAIR, Kind.STORE_MULTIPLE, Kind.STORE_EXCLUSIVE, Kind.FP_STORE, Kind.FP_STORE_MULTIPLE}
)
MEMORY_KINDS = LOADS | STORES
MULTIPLES = frozenset({Kind.LOAD_MULTIPLE, Kind.STORE_MULTIPLE, Kind.FP_LOAD_MULTIPLE, Kind.FP_STORE_MULTIPLE})
FP_KINDS = frozenset(kind for kind in Kind if kind.startswith("fp_"))

"""The block callback: counts a known, plain transition, written as LLVM IR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from vtarget.shell.layout import (
    B_HISTORY,
    B_SITE,
    E_COUNT,
    E_FAST,
    E_INSTRUCTIONS,
    E_TARGET,
    H_ACCESSES,
    H_BUFFER,
    H_CURRENT,
    H_CYCLES,
    H_FAST_LIMIT,
    H_INSTRUCTIONS,
    H_LAST_LINE,
    H_MOST_STATE,
    H_NEW_BRANCH,
    H_RARE,
    H_TIME,
    H_VERSION,
    N_ACCESSES,
    N_BRANCH,
    N_FETCH,
    S_COUNTS,
    S_PRICES,
    SLOT_CAPACITY,
    SLOT_WORDS,
    SLOTS,
    T_KEY,
    T_PAIRS,
    V_LAST,
    V_TIME,
    V_VERSION,
    WAYS,
    Y_NEXT,
    Y_STATE,
    Y_USED,
)

MISPREDICTED = 1  # the class, as logic.zones names it


def _emit_on_block(module: Any, memory: bool, branches: bool) -> Any:
    """Add the block callback to an LLVM module: ``void on_block(uc, address, size, state)``.

    Written as IR because numba wraps a Python-level callback in a second call with error handling, which costs as much
    as the counting itself. It counts a block whose transition is cached and plain and leaves everything else to
    ``on_rare_block``; both do the same bookkeeping. With ``memory``, blocks that change what caches hold or access data
    go on to ``on_accesses``. With ``branches``, the branch that led here is compared with its prediction.
    """
    word, half = ir.IntType(64), ir.IntType(32)
    function = ir.Function(
        module,
        ir.FunctionType(ir.VoidType(), [word, word, half, word.as_pointer()]),
        f"vt_on{'_memory' * memory}{'_branch' * branches}_block",
    )
    uc, address, size, state = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    blocks = {name: function.append_basic_block(name) for name in ("found", "count", "rare")}
    ways = [function.append_basic_block(f"way{way}") for way in range(WAYS)]

    def at(base: Any, index: int) -> Any:
        return b.gep(base, [ir.Constant(word, index)], inbounds=True)

    def load(base: Any, index: int) -> Any:
        return b.load(at(base, index))

    key = b.or_(address, b.shl(b.zext(size, word), ir.Constant(word, 32)))
    index = b.and_(b.lshr(key, ir.Constant(word, 1)), ir.Constant(word, SLOT_CAPACITY - 1))
    slot = b.gep(at(state, SLOTS), [b.mul(index, ir.Constant(word, SLOT_WORDS))], inbounds=True)
    current = load(state, H_CURRENT)
    b.cbranch(b.icmp_signed("==", load(slot, T_KEY), key), ways[0], blocks["rare"])

    edges: list[Any] = []
    for way, otherwise in zip(ways, [*ways[1:], blocks["rare"]], strict=True):
        b.position_at_end(way)
        pair = T_PAIRS + 2 * len(edges)
        edges.append(load(slot, pair + 1))
        b.cbranch(b.icmp_signed("==", load(slot, pair), current), blocks["found"], otherwise)

    b.position_at_end(blocks["found"])
    found = b.phi(word)
    for way, value in zip(ways, edges, strict=True):
        found.add_incoming(value, way)
    edge = b.gep(state, [found], inbounds=True)
    cycles = b.add(load(state, H_CYCLES), load(edge, E_FAST))
    b.cbranch(b.icmp_signed("<", cycles, load(state, H_FAST_LIMIT)), blocks["count"], blocks["rare"])

    b.position_at_end(blocks["count"])
    b.store(b.add(load(edge, E_COUNT), ir.Constant(word, 1)), at(edge, E_COUNT))
    b.store(load(edge, E_TARGET), at(state, H_CURRENT))
    b.store(cycles, at(state, H_CYCLES))
    instructions = b.add(load(state, H_INSTRUCTIONS), load(edge, E_INSTRUCTIONS))
    b.store(instructions, at(state, H_INSTRUCTIONS))
    if branches:
        _emit_prediction(b, function, load, at, b.gep(state, [current], inbounds=True), instructions)
    if memory:
        _emit_following(b, function, load, at, b.gep(state, [load(edge, E_TARGET)], inbounds=True))
    b.ret_void()

    b.position_at_end(blocks["rare"])
    rare_type = ir.FunctionType(word, [word, word, word]).as_pointer()
    b.call(b.inttoptr(load(state, H_RARE), rare_type), [uc, key, load(state, H_BUFFER)])
    b.ret_void()
    return function


def _emit_prediction(b: Any, function: Any, load: Any, at: Any, source: Any, instructions: Any) -> None:
    """The branch of the node left, as ``native.branches.predict`` follows it; calls for one that comes in."""
    word = ir.IntType(64)
    uc, address, _, state = function.args
    names = ("branch", "held", "learns", "wrong", "absent", "comes_in", "predicted")
    branch, held, learns, wrong, absent, comes_in, predicted = (function.append_basic_block(name) for name in names)
    zero, one = ir.Constant(word, 0), ir.Constant(word, 1)
    record_at = load(source, N_BRANCH)
    b.cbranch(b.icmp_signed("==", record_at, zero), predicted, branch)

    b.position_at_end(branch)
    record = b.gep(state, [record_at], inbounds=True)
    history = b.gep(state, [load(record, B_HISTORY)], inbounds=True)
    known, most = load(history, Y_STATE), load(state, H_MOST_STATE)
    taken = b.icmp_signed("!=", address, load(history, Y_NEXT))
    b.cbranch(b.icmp_signed("==", known, zero), absent, held)

    b.position_at_end(held)
    b.store(instructions, at(history, Y_USED))
    b.cbranch(b.and_(taken, b.icmp_signed("==", known, most)), predicted, learns)

    b.position_at_end(learns)
    guess = b.icmp_signed(">", b.shl(known, one), most)
    up = b.select(b.icmp_signed("<", known, most), b.add(known, one), known)
    down = b.select(b.icmp_signed(">", known, one), b.sub(known, one), known)
    b.store(b.select(taken, up, down), at(history, Y_STATE))
    b.cbranch(b.xor(guess, taken), wrong, predicted)

    b.position_at_end(wrong)
    site = b.gep(state, [load(record, B_SITE)], inbounds=True)
    b.store(b.add(load(site, S_COUNTS + MISPREDICTED), one), at(site, S_COUNTS + MISPREDICTED))
    b.store(b.add(load(state, H_CYCLES), load(site, S_PRICES + MISPREDICTED)), at(state, H_CYCLES))
    b.branch(predicted)

    b.position_at_end(absent)
    b.cbranch(taken, comes_in, predicted)
    b.position_at_end(comes_in)
    called = b.inttoptr(load(state, H_NEW_BRANCH), ir.FunctionType(word, [word, word, word]).as_pointer())
    b.call(called, [uc, record_at, load(state, H_BUFFER)])
    b.branch(predicted)
    b.position_at_end(predicted)


def _emit_following(b: Any, function: Any, load: Any, at: Any, node: Any) -> None:
    """The block's fetches where no cache has changed, and a call for all else; goes on behind that."""
    word = ir.IntType(64)
    uc, _, _, state = function.args
    names = ("fetch", "entered", "slow", "done")
    fetch, entered, slow, done = (function.append_basic_block(name) for name in names)
    zero = ir.Constant(word, 0)
    offset, accesses = load(node, N_FETCH), load(node, N_ACCESSES)
    plain = function.append_basic_block("plain")
    b.cbranch(b.icmp_signed("==", accesses, zero), plain, slow)
    b.position_at_end(plain)
    b.cbranch(b.icmp_signed("==", offset, zero), done, fetch)

    b.position_at_end(fetch)
    record = b.gep(state, [offset], inbounds=True)
    b.cbranch(b.icmp_signed("==", load(record, V_VERSION), load(state, H_VERSION)), entered, slow)

    b.position_at_end(entered)
    time = b.add(load(state, H_TIME), ir.Constant(word, 1))
    b.store(time, at(state, H_TIME))
    b.store(time, at(record, V_TIME))
    b.store(load(record, V_LAST), at(state, H_LAST_LINE))
    b.branch(done)

    b.position_at_end(slow)
    called = b.inttoptr(load(state, H_ACCESSES), ir.FunctionType(word, [word, word, word]).as_pointer())
    b.call(called, [uc, load(state, H_CURRENT), load(state, H_BUFFER)])
    b.branch(done)
    b.position_at_end(done)


@dataclass(frozen=True)
class BlockRecipe:
    """A block callback as LLVM IR, for ``kept``."""

    memory: bool
    branches: bool

    def llvm(self) -> tuple[str, str]:
        """The module's text, and the callback's name in it."""
        module = ir.Module()
        function = _emit_on_block(module, self.memory, self.branches)
        return str(module), function.name


on_block = BlockRecipe(memory=False, branches=False)
on_memory_block = BlockRecipe(memory=True, branches=False)
on_branch_block = BlockRecipe(memory=False, branches=True)
on_memory_branch_block = BlockRecipe(memory=True, branches=True)

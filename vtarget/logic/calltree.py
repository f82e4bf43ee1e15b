"""Calling contexts: which functions are active, so that inclusive costs are exact under recursion.

A context is (chain, running function). The chain lists every active function once, in order of first appearance on the
call stack. Calling a function that is already in the chain keeps the chain, so recursion makes finitely many contexts,
and "cycles while f was active" is the sum over contexts whose chain holds f.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NO_CHAIN = -1


@dataclass
class FunctionTable:
    """Kernels by number: the image's functions, plus those found by call targets that no symbol covers."""

    names: list[str] = field(default_factory=list)
    addresses: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    _by_entry: dict[int, int] = field(default_factory=dict)

    def add(self, name: str, address: int, size_bytes: int) -> int:
        """The number of the function at ``address``, added if new."""
        known = self._by_entry.get(address)
        if known is not None:
            return known
        self._by_entry[address] = number = len(self.names)
        self.names.append(name)
        self.addresses.append(address)
        self.sizes.append(size_bytes)
        return number

    def at_entry(self, address: int) -> int | None:
        """The number of the function that begins at ``address``."""
        return self._by_entry.get(address)


@dataclass
class CallTree:
    """The contexts met so far, by number."""

    chain_parent: list[int] = field(default_factory=list)
    chain_function: list[int] = field(default_factory=list)
    context_chain: list[int] = field(default_factory=list)
    context_function: list[int] = field(default_factory=list)
    _chains: dict[tuple[int, int], int] = field(default_factory=dict)
    _contexts: dict[tuple[int, int], int] = field(default_factory=dict)
    _members: list[frozenset[int]] = field(default_factory=list)

    def root(self, function: int) -> int:
        """The context in which only ``function`` is active."""
        return self._context(self._chain(NO_CHAIN, function), function)

    def enter(self, context: int, function: int) -> int:
        """The context after ``function`` begins to run on top of ``context``."""
        chain = self.context_chain[context]
        if function not in self._members[chain]:
            chain = self._chain(chain, function)
        return self._context(chain, function)

    def function(self, context: int) -> int:
        """The function that runs in ``context``."""
        return self.context_function[context]

    def contexts_with(self, function: int) -> frozenset[int]:
        """The contexts in which ``function`` is active."""
        return frozenset(c for c, chain in enumerate(self.context_chain) if function in self._members[chain])

    def _chain(self, parent: int, function: int) -> int:
        key = (parent, function)
        number = self._chains.get(key)
        if number is None:
            self._chains[key] = number = len(self.chain_parent)
            self.chain_parent.append(parent)
            self.chain_function.append(function)
            above = self._members[parent] if parent != NO_CHAIN else frozenset()
            self._members.append(above | {function})
        return number

    def _context(self, chain: int, function: int) -> int:
        key = (chain, function)
        number = self._contexts.get(key)
        if number is None:
            self._contexts[key] = number = len(self.context_chain)
            self.context_chain.append(chain)
            self.context_function.append(function)
        return number

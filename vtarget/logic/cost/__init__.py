"""Cycles, explained: what blocks of code cost on a core. Pure."""

from __future__ import annotations

from vtarget.data.record import OPERAND_CLASSES
from vtarget.logic.cost.classes import missing_feature
from vtarget.logic.cost.model import EXITS, CostModel, Exit
from vtarget.logic.cost.operands import operand_class
from vtarget.logic.decode import Block

__all__ = ["EXITS", "OPERAND_CLASSES", "Block", "CostModel", "Exit", "missing_feature", "operand_class"]

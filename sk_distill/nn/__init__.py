"""The torch modules that the built-in networks are made of."""

from sk_distill.nn.grouped import GroupedMLP
from sk_distill.nn.layout import UnitLayout
from sk_distill.nn.slot_rows import SlotRows
from sk_distill.nn.stacked import StackedMLP

__all__ = ["GroupedMLP", "SlotRows", "StackedMLP", "UnitLayout"]

"""The torch modules that the built-in networks are made of."""

from sk_distill.nn.first_layer import SlotRows, UnitLayout
from sk_distill.nn.stacked import StackedMLP

__all__ = ["SlotRows", "StackedMLP", "UnitLayout"]

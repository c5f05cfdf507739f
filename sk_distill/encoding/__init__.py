"""From a table to the matrix that a network is trained on."""

from sk_distill.encoding.encoder import TableEncoder
from sk_distill.encoding.table import (
    Table,
    check_table,
    table_like,
    takes_new_numbers,
)

ENCODINGS = ("piecewise_linear", "quantile", "standard", None)

__all__ = [
    "ENCODINGS",
    "Table",
    "TableEncoder",
    "check_table",
    "table_like",
    "takes_new_numbers",
]

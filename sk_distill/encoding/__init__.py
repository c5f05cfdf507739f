"""From a table to the matrix that a network is trained on."""

from sk_distill.encoding.appending import append_rows
from sk_distill.encoding.encoder import TableEncoder
from sk_distill.encoding.table import (
    Table,
    check_columns,
    check_table,
    looks_finite,
    table_like,
    takes_new_numbers,
)

ENCODINGS = ("piecewise_linear", "quantile", "standard", None)

# Those that depend on what is to be learnt.
TARGET_AWARE = ("piecewise_linear",)

__all__ = [
    "ENCODINGS",
    "TARGET_AWARE",
    "Table",
    "TableEncoder",
    "append_rows",
    "check_columns",
    "check_table",
    "looks_finite",
    "table_like",
    "takes_new_numbers",
]

"""Students that leave the package: each function takes a fitted one."""

from sk_distill.export.onnx_file import to_onnx
from sk_distill.export.stock import to_sklearn

__all__ = ["to_onnx", "to_sklearn"]

"""Students that leave the package: each function takes a fitted one."""

from sk_distill.export.files import load, load_teacher, save
from sk_distill.export.onnx_file import to_onnx
from sk_distill.export.python_file import to_python
from sk_distill.export.stock import to_sklearn

__all__ = ["load", "load_teacher", "save", "to_onnx", "to_python", "to_sklearn"]

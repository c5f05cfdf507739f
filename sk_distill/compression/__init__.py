"""Making a fitted student smaller: fewer hidden units, fewer bits a weight."""

from sk_distill.compression.compressing import compress
from sk_distill.compression.student import CompressedStudent, Compression

__all__ = ["CompressedStudent", "Compression", "compress"]

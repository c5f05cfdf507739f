"""What is private in scikit-learn and used here all the same; nowhere else is."""

from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils.validation import _num_samples as num_samples

__all__ = ["num_samples", "safe_indexing"]

"""What students and teachers that are networks have in common."""

from sk_distill.networks.base import NetworkClassifier, n_outputs

__all__ = ["NetworkClassifier", "n_outputs"]

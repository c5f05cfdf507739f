"""What students and teachers that are networks have in common."""

from sk_distill.networks.base import NetworkClassifier

__all__ = ["NetworkClassifier"]

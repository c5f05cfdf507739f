"""How the step size changes over a training run."""

import math

# The share of the steps in which the step size rises, and its first and last values as
# shares of the largest.
_RISE = 0.3
_FIRST = 0.04
_LAST = 4e-6


def one_cycle(done: float) -> float:
    """Return the step size as a share of the largest, ``done`` going from 0 to 1.

    It rises for three tenths of the run and falls for the rest, along half waves of a
    cosine (Smith & Topin 2018, arXiv:1708.07120).
    """
    if done < _RISE:
        return _wave(_FIRST, 1.0, done / _RISE)
    return _wave(1.0, _LAST, (done - _RISE) / (1 - _RISE))


def constant(done: float) -> float:
    """Return 1."""
    return 1.0


def _wave(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(done, 1.0))) / 2


SCHEDULES = {"one_cycle": one_cycle, "constant": constant}

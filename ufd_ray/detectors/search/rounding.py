"""How far computed similarities may lie from the true ones. All bounds are rigorous.

A dot product summed in any order, fused or not, errs by at most gamma_n · Σ|x_i y_i|, where
gamma_n = n u / (1 − n u) and u is the unit roundoff of the sum (Higham, *Accuracy and Stability of
Numerical Algorithms*, 2nd ed., section 3.1); by Cauchy and Schwarz, Σ|x_i y_i| ≤ ‖x‖·‖y‖.
"""

from __future__ import annotations

import math

import torch

UNIT_ROUNDOFF: dict[torch.dtype, float] = {
    torch.bfloat16: 2.0**-8,
    torch.float16: 2.0**-11,
    torch.float32: 2.0**-24,
}
"""Largest relative error of rounding to the nearest number of the type."""


def float32_sum(dim: int) -> float:
    """Error of a float32 dot product of two vectors of length at most 1, already rounded.

    Each term may be a product of rounded unit vectors that were scaled in float32 as well (three
    roundings an operand) and have two offsets added: thirty-two more terms than `dim` cover all of
    these and their squares. The second part is for elements and products too small for float32.
    """
    return _gamma(dim + 32) + dim * 2.0**-120


def float32_pairwise(dim: int) -> float:
    """The same, where NumPy sums the products along a contiguous row.

    It adds up to 128 numbers by eight running sums, then these, then a rest of up to seven; longer
    rows it halves. So no product goes through more than 15 + 3 + 7 additions and one a halving
    (Higham, section 4.2). Four roundings of operands and product, and all squares, are covered too.
    """
    return _gamma(36 + 2 * max(0, math.ceil(math.log2(dim / 128)))) + dim * 2.0**-120


def _gamma(num_roundings: int) -> float:
    errors = num_roundings * 2.0**-24
    return errors / (1 - errors)

# SPDX-License-Identifier: Apache-2.0
r"""Compressors: random maps Q_i that n workers apply to their vectors before they send them.

    worker i sends a message that stands for Q_i(a_i);   all of them get (1/n) sum_i Q_i(a_i).

All but `TopK` are unbiased, E Q_i(a) = a. Three constants tell what the mean costs in variance:

    E|Q_i(a) - a|^2 <= omega |a|^2
    E|(1/n) sum_i Q_i(a_i) - abar|^2 <= A (1/n) sum_i |a_i|^2 - B |abar|^2,   abar = (1/n) sum a_i.

Independent compressors have A = omega / n and B = 0. Those of `PermK` are correlated, with
A = B = 1: where the workers' vectors agree, nothing is lost.

Messages are really small. The draws come from a key that all workers share, so indices are known
to everybody and never sent: the collective carries the values alone.

References:
  Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: communication-efficient SGD via gradient
  quantization and encoding", NeurIPS 2017, arXiv:1610.02132.
  Horvath, Ho, Horvath, Sahu, Canini, Richtarik, "Natural compression for distributed deep
  learning", 2019, arXiv:1905.10988.
  Szlendak, Tyurin, Richtarik, "Permutation compressors for provably faster distributed nonconvex
  optimization", ICLR 2022, arXiv:2110.03300.
"""

from .compressor import Compressor, Identity
from .permutation import PermK
from .quantization import NaturalCompression, StochasticQuantization
from .sampled_clients import SampledClients
from .sparsification import RandK, TopK

__all__ = [
    "Compressor",
    "Identity",
    "NaturalCompression",
    "PermK",
    "RandK",
    "SampledClients",
    "StochasticQuantization",
    "TopK",
]

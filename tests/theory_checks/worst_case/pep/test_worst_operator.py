"""The border of what turns and stretches the plane: an arc and a segment."""

import numpy as np
import pytest

from theory_checks.worst_case.pep import MonotoneLipschitz, StronglyMonotoneLipschitz
from theory_checks.worst_case.pep.worst_operator import as_matrix, worst_turn

KIND = StronglyMonotoneLipschitz(0.5, 1.0)


@pytest.mark.parametrize("aim", [1.0, np.exp(0.4j), 0.5 + 0.3j, 0.5])
def test_every_place_on_the_border_is_found(aim):
    assert abs(worst_turn(KIND, lambda z: -abs(z - aim)) - aim) < 1e-6


@pytest.mark.parametrize("kind", [KIND, MonotoneLipschitz(2.0)])
def test_what_is_found_is_in_the_class(kind):
    """<F(x), x> >= mu |x|^2 and |F(x)| <= L |x|, which for these are bounds of Re z and |z|."""
    for angle in np.linspace(0, np.pi / 2, 7):
        matrix = as_matrix(worst_turn(kind, lambda z, a=angle: (z * np.exp(-1j * a)).real))
        assert np.linalg.norm(matrix, 2) <= kind.L * (1 + 1e-12)
        assert np.linalg.eigvalsh(matrix + matrix.T).min() / 2 >= kind.mu - 1e-12

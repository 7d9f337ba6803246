"""Covariances and ranges, against dense algebra and against counting."""

import numpy as np
from scipy import sparse

from network_data.turning_flows.ranges import highest_density, variances


def test_variances_are_those_of_the_inverse():
    """Sums of unknowns have the variance that the dense inverse gives them."""
    rng = np.random.default_rng(2)
    a = rng.normal(size=(120, 40))
    q = a.T @ a
    sums = sparse.random(15, 40, density=0.2, random_state=4, format="csr")
    exact = np.diag(sums @ np.linalg.inv(q) @ sums.T)
    np.testing.assert_allclose(variances(sparse.csc_matrix(q), sums), exact, rtol=1e-8)


def test_ranges_hold_nine_of_ten():
    """Of draws from a normal distribution without its negative part, 90 % lie in the range, whatever is cut off."""
    rng = np.random.default_rng(5)
    for mean, sd in ((100.0, 10.0), (5.0, 10.0), (-8.0, 10.0)):
        draws = rng.normal(mean, sd, 400_000)
        draws = draws[draws >= 0]
        low, high = highest_density(np.array([mean]), np.array([sd]))
        inside = np.mean((draws >= low) & (draws <= high))
        assert abs(inside - 0.9) < 0.005  # some 80,000 draws left: one standard error is 0.001


def test_ranges_begin_at_nothing_where_nothing_may_pass():
    """A flow estimated at 0 may be 0."""
    low, high = highest_density(np.array([0.0, 200.0]), np.array([30.0, 10.0]))
    assert low[0] == 0
    np.testing.assert_allclose(high[0], 1.645 * 30, rtol=0.01)
    np.testing.assert_allclose([low[1], high[1]], [200 - 16.45, 200 + 16.45], rtol=0.01)

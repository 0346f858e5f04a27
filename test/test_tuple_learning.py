"""Eq. 1 of TSN against scikit-learn's Lasso and the KKT conditions; the rules of the pool."""
import numpy as np
import pytest
from sklearn.linear_model import Lasso
import torch

from tracking_nodes.online.tuple_learning import duality_gap, l1_coding, TargetPool

D, K = 60, 9


def problem(seed=0, count=3, alike=0.0):
    """Return targets (N, D) and a pool (K, D), float64, of rows as alike as past targets are."""
    rng = np.random.default_rng(seed)
    common = alike * rng.standard_normal(D)
    pool = rng.standard_normal((K, D)) + common
    targets = rng.standard_normal((count, K)) @ pool / K + 0.3 * rng.standard_normal((count, D))
    return torch.from_numpy(targets), torch.from_numpy(pool)


def objective(code, target, pool, penalty):
    """Return eq. 1 in loops."""
    residual = [float(target[d]) - sum(float(code[k]) * float(pool[k][d]) for k in range(K))
                for d in range(D)]
    return 0.5 * sum(r * r for r in residual) + penalty * sum(abs(float(c)) for c in code)


@pytest.mark.parametrize('alike', [0.0, 2.0])
@pytest.mark.parametrize('share', [0.03, 0.3])
def test_the_code_is_that_of_scikit_learn(share, alike):
    targets, pool = problem(alike=alike)
    penalty = share * (targets @ pool.T).abs().amax(dim=1)
    codes = l1_coding(targets, pool, penalty, tolerance=1e-12, iterations=20000)
    for target, code, weight in zip(targets, codes, penalty.tolist()):
        # scikit-learn divides the squared error by the number of rows.
        lasso = Lasso(alpha=weight / D, fit_intercept=False, tol=1e-12, max_iter=100000)
        expected = lasso.fit(pool.numpy().T, target.numpy()).coef_
        np.testing.assert_allclose(code, expected, atol=1e-5)
        assert 0 < np.count_nonzero(expected) < K or share == 0.03
        assert objective(code, target, pool, weight) == pytest.approx(
            objective(expected, target, pool, weight), rel=1e-9)


def test_the_code_meets_the_kkt_conditions():
    targets, pool = problem(seed=1)
    penalty = torch.tensor([0.5, 2.0, 5.0], dtype=torch.float64)
    codes = l1_coding(targets, pool, penalty, tolerance=1e-13, iterations=20000).numpy()
    zeros = 0
    for target, code, weight in zip(targets.numpy(), codes, penalty.numpy()):
        pull = pool.numpy() @ (target - pool.numpy().T @ code)
        on = np.abs(code) > 0
        np.testing.assert_allclose(pull[on], weight * np.sign(code[on]), atol=1e-4)
        assert (np.abs(pull[~on]) <= weight + 1e-4).all()
        zeros += np.count_nonzero(~on)
    assert 0 < zeros < codes.size


def test_float32_with_the_defaults_is_near_the_minimum():
    targets, pool = problem(seed=2, alike=2.0)
    targets, pool = (torch.nn.functional.normalize(each) for each in (targets, pool))
    penalty = 0.1 * (targets @ pool.T).abs().amax(dim=1)
    codes = l1_coding(targets.float(), pool.float(), penalty.float())
    assert codes.dtype == torch.float32
    exact = l1_coding(targets, pool, penalty, tolerance=1e-13, iterations=20000)
    for row in range(len(targets)):
        found, best = (objective(each[row], targets[row], pool, float(penalty[row]))
                       for each in (codes, exact))
        assert best <= found + 1e-9 and found <= best + 1e-4 * 0.5


def test_targets_of_a_batch_are_coded_as_alone():
    targets, pool = problem(seed=3)
    penalty = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    together = l1_coding(targets, pool, penalty, tolerance=1e-12, iterations=5000)
    for row in range(len(targets)):
        alone = l1_coding(targets[row:row + 1], pool, penalty[row:row + 1], tolerance=1e-12,
                          iterations=5000)
        torch.testing.assert_close(alone[0], together[row], atol=1e-6, rtol=0)


def test_the_largest_useful_penalty_makes_all_zero():
    targets, pool = problem()
    largest = (targets @ pool.T).abs().amax(dim=1)
    assert not l1_coding(targets, pool, 1.0001 * largest).any()
    assert (l1_coding(targets, pool, 0.99 * largest, tolerance=1e-12) != 0).any(dim=1).all()


def test_the_duality_gap_bounds_the_distance_from_the_minimum():
    targets, pool = problem(seed=4)
    penalty = torch.full((3,), 1.5, dtype=torch.float64)
    best = l1_coding(targets, pool, penalty, tolerance=1e-13, iterations=20000)
    gram, moment, energy = pool @ pool.T, targets @ pool.T, targets.square().sum(dim=1)
    codes = best + 0.1 * torch.randn(best.shape, generator=torch.Generator().manual_seed(0),
                                     dtype=torch.float64)
    gap = duality_gap(codes, gram, moment, energy, penalty)
    for row in range(3):
        excess = (objective(codes[row], targets[row], pool, 1.5)
                  - objective(best[row], targets[row], pool, 1.5))
        assert 0 < excess <= float(gap[row]) + 1e-9
    assert duality_gap(best, gram, moment, energy, penalty).abs().max() < 1e-9


def unit(*places, length=8):
    """Return the sum of unit vectors."""
    vector = torch.zeros(length)
    vector[list(places)] = 1.0
    return vector


def test_in_the_first_frame_the_tuple_is_its_target():
    pool = TargetPool(unit(0), size=4, length=3, sparsity=0.1)
    assert len(pool) == 1
    torch.testing.assert_close(pool.tuple, unit(0).expand(3, -1))


def test_the_tuple_is_the_first_target_and_those_of_the_largest_coefficients_by_age():
    pool = TargetPool(unit(0), size=8, length=3, sparsity=0.1)
    for place in (1, 2, 3, 4):
        pool.add(unit(place), 0.9)
    # Orthogonal targets: coefficients are the shares in the new one.
    pool.add(3 * unit(4) + 2 * unit(2) + 1 * unit(1), 0.9)
    torch.testing.assert_close(pool.tuple, torch.stack([unit(0), unit(2), unit(4)]))


def test_a_target_without_part_in_the_code_is_not_in_the_tuple():
    pool = TargetPool(unit(0), size=8, length=3, sparsity=0.1)
    for place in (1, 2):
        pool.add(unit(place), 0.9)
    pool.add(unit(2), 0.9)
    torch.testing.assert_close(pool.tuple, torch.stack([unit(0), unit(0), unit(2)]))


def test_the_scale_of_features_does_not_matter():
    tuples = []
    for factor in (1.0, 1000.0):
        rng = torch.Generator().manual_seed(0)
        rows = factor * torch.randn(10, 30, generator=rng)
        pool = TargetPool(rows[0], size=6, length=4, sparsity=0.1)
        for row in rows[1:]:
            pool.add(row, 0.5)
        tuples.append(pool.tuple / factor)
    torch.testing.assert_close(*tuples)


def test_the_new_target_is_described_by_the_pool_before_it():
    pool = TargetPool(unit(0), size=8, length=2, sparsity=0.1)
    pool.add(unit(5), 0.9)
    # It cannot describe itself; from the next one on it can.
    torch.testing.assert_close(pool.tuple, torch.stack([unit(0), unit(0)]))
    pool.add(unit(5), 0.9)
    torch.testing.assert_close(pool.tuple, torch.stack([unit(0), unit(5)]))


def test_the_least_confident_leaves_a_full_pool_but_never_the_first():
    pool = TargetPool(unit(0), size=3, length=3, sparsity=0.01)
    for place, confidence in ((1, 0.6), (2, 0.7), (3, 0.9)):
        pool.add(unit(place), confidence)
    assert len(pool) == 3
    pool.add(unit(0, 1, 2, 3), 0.1)
    # The target of place 1 is gone; the newest, least confident, left at once.
    torch.testing.assert_close(pool.tuple, torch.stack([unit(0), unit(2), unit(3)]))
    for place in (4, 5):
        pool.add(unit(place), 0.99)
    pool.add(unit(0, 2, 3, 4, 5), 0.2)
    torch.testing.assert_close(pool.tuple, torch.stack([unit(0), unit(4), unit(5)]))


def test_blank_features_leave_a_tuple_of_first_targets():
    pool = TargetPool(torch.zeros(8), size=3, length=3, sparsity=0.1)
    for _ in range(5):
        pool.add(torch.zeros(8), 0.5)
    assert not pool.tuple.any() and pool.tuple.shape == (3, 8)

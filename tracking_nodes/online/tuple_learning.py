"""
Tuple learning of TSN (ICCV 2017, section 3.2.1): which past targets describe the last one.

A bounded pool keeps the features of past targets; the l1-regularised coding of the last target on
the pool, eq. 1, picks the tuple.
"""
import torch


def l1_coding(targets, pool, penalty, tolerance=1e-4, iterations=1000):
    """
    Return eq. 1, argmin_c 1/2 |p - D c|^2 + penalty |c|_1, by FISTA.

    Beck and Teboulle, SIAM J. Imaging Sciences 2009, with a fixed step 1 / L. It works on the
    K x K Gram matrix and stops at a small duality gap. A GPU computes that matrix; the steps on it
    are so small, and look so often at the gap, that they are the CPU's.

    :param targets: (N, D), one p per row.
    :param pool: (K, D), the columns of the dictionary as rows.
    :param penalty: (N,) lambda of each target, positive.
    :param tolerance: largest duality gap, as a share of 1/2 |p|^2.
    :param iterations: largest number of steps.
    :return: (N, K), on the CPU.
    """
    gram, moment, energy, penalty = (each.cpu() for each in (
        pool @ pool.T, targets @ pool.T, targets.square().sum(dim=1), penalty))
    step = 1 / torch.linalg.eigvalsh(gram)[-1].clamp_min(torch.finfo(gram.dtype).tiny)
    threshold = step * penalty[:, None]
    code = ahead = torch.zeros_like(moment)
    inertia = 1.0
    for iteration in range(iterations):
        moved = ahead - step * (ahead @ gram - moment)
        new = moved.sign() * (moved.abs() - threshold).clamp_min(0)
        next_inertia = (1 + (1 + 4 * inertia ** 2) ** 0.5) / 2
        ahead = new + (inertia - 1) / next_inertia * (new - code)
        code, inertia = new, next_inertia
        # Not in every step: the gap costs as much as a step.
        if iteration % 10 == 9:
            gap = duality_gap(code, gram, moment, energy, penalty)
            if bool((gap <= tolerance * energy / 2).all()):
                break
    return code


def duality_gap(code, gram, moment, energy, penalty):
    """
    Return how far from the minimum of eq. 1 a code is at the most.

    The residual, scaled until it is feasible, is the point of the dual problem.

    :param code: (N, K).
    :param gram: (K, K) D^T D.
    :param moment: (N, K) D^T p.
    :param energy: (N,) |p|^2.
    :param penalty: (N,).
    :return: (N,).
    """
    through = code @ gram
    residual = energy - 2 * (code * moment).sum(dim=1) + (code * through).sum(dim=1)
    primal = residual / 2 + penalty * code.abs().sum(dim=1)
    steepest = (moment - through).abs().amax(dim=1)
    scale = (penalty / steepest.clamp_min(torch.finfo(code.dtype).tiny)).clamp_max(1)
    along = energy - (code * moment).sum(dim=1)
    dual = scale * along - scale.square() * residual / 2
    return primal - dual


class TargetPool:
    """Features of past targets and how sure the tracker was of them; the first one stays."""

    def __init__(self, first, size, length, sparsity):
        """
        Start with the target of the first frame.

        :param first: (D,) features.
        :param size: K, targets kept at the most, the first among them.
        :param length: S, targets of a tuple.
        :param sparsity: lambda of eq. 1 as a share of the smallest that makes all codes zero.
        """
        self._size, self._length, self._sparsity = size, length, sparsity
        self._targets, self._confidences = [first], [1.0]
        self.tuple = first.expand(length, -1)

    def __len__(self):
        return len(self._targets)

    def add(self, target, confidence):
        """
        Choose the tuple that describes a new target, then take the target in.

        When the pool is full, the least confident leaves, which may be the new one.

        :param target: (D,) features.
        :param confidence: in [0, 1].
        """
        self.tuple = self._describe(target)
        self._targets.append(target)
        self._confidences.append(confidence)
        if len(self._targets) > self._size:
            later = self._confidences[1:]
            least = 1 + later.index(min(later))
            del self._targets[least], self._confidences[least]

    def _describe(self, target):
        """Return (S, D): the first target, then those of the largest coefficients by age."""
        pool = torch.stack(self._targets)
        # Of unit length, or one lambda would not suit all targets.
        rows = torch.nn.functional.normalize(pool)
        last = torch.nn.functional.normalize(target[None])
        largest = (last @ rows.T).abs().amax(dim=1)
        weight = l1_coding(last, rows, self._sparsity * largest)[0].abs()
        ranked = weight[1:].argsort(descending=True, stable=True)[:self._length - 1]
        # What has no part in the code is no key sample; the first target stands in for it.
        chosen = sorted((1 + ranked[weight[1:][ranked] > 0]).tolist())
        filled = [0] * (self._length - len(chosen)) + chosen
        return torch.stack([self._targets[index] for index in filled])

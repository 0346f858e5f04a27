"""The correlation filter layer against dense ridge regression, the paper's gradients and loops."""
import numpy as np
import pytest
import torch

from tracking_nodes.nn.correlation_filter import (
    centre_cells, centred, cosine_window, cross_correlate, gaussian_label, respond, solve_filter,
    windows_around)

RIDGE, CONTEXT_WEIGHT = 0.3, 0.7


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def circulant(patch):
    """Return (H W, H W): one row per displacement, the patch moved back by it, flattened."""
    height, width = patch.shape
    return np.stack([np.roll(patch, (-down, -across), (0, 1)).ravel()
                     for down in range(height) for across in range(width)])


def spatial(weights, height, width):
    """Return the filter (C, H, W) as weights on pixels, so that responses are Z @ w."""
    kernel = torch.fft.irfft2(weights, s=(height, width)).numpy()
    # Multiplying spectra convolves; a row of the circulant matrix correlates.
    return np.roll(kernel[:, ::-1, ::-1], (1, 1), (1, 2))


@pytest.mark.parametrize('height, width', [(5, 5), (4, 6), (7, 4)])
def test_one_channel_is_the_dense_ridge_regression_of_eq_6(height, width):
    target, contexts = draw(1, height, width), draw(3, 1, height, width, seed=1)
    label = gaussian_label(height, width, 1.0).double()
    found = spatial(solve_filter(target, label, RIDGE, contexts, CONTEXT_WEIGHT), height, width)
    rows = circulant(target[0].numpy())
    left = rows.T @ rows + RIDGE * np.eye(height * width)
    for context in contexts[:, 0].numpy():
        other = circulant(context)
        left += CONTEXT_WEIGHT * other.T @ other
    expected = np.linalg.solve(left, rows.T @ label.numpy().ravel())
    assert np.allclose(found[0].ravel(), expected, atol=1e-10)


@pytest.mark.parametrize('channels', [2, 5])
def test_many_channels_without_contexts_are_the_dense_solution_of_all_together(channels):
    target = draw(channels, 4, 5)
    label = gaussian_label(4, 5, 0.8).double()
    found = spatial(solve_filter(target, label, RIDGE), 4, 5)
    rows = np.concatenate([circulant(channel) for channel in target.numpy()], axis=1)
    expected = np.linalg.solve(rows.T @ rows + RIDGE * np.eye(rows.shape[1]),
                               rows.T @ label.numpy().ravel())
    assert np.allclose(found.ravel(), expected, atol=1e-10)


def test_the_denominator_of_eq_7_frequency_by_frequency():
    target, contexts = draw(3, 4, 6), draw(2, 3, 4, 6, seed=1)
    label = draw(4, 6, seed=2)
    found = solve_filter(target, label, RIDGE, contexts, CONTEXT_WEIGHT).numpy()
    spectrum = np.fft.fft2(target.numpy())
    others, answer = np.fft.fft2(contexts.numpy()), np.fft.fft2(label.numpy())
    for row in range(4):
        for column in range(6 // 2 + 1):
            bottom = RIDGE
            for channel in range(3):
                bottom += abs(spectrum[channel, row, column]) ** 2
                for other in others:
                    bottom += CONTEXT_WEIGHT * abs(other[channel, row, column]) ** 2
            for channel in range(3):
                expected = spectrum[channel, row, column].conj() * answer[row, column] / bottom
                assert found[channel, row, column] == pytest.approx(expected)


def test_the_response_is_the_circulant_matrix_times_the_filter():
    maps, target = draw(2, 5, 4, seed=3), draw(2, 5, 4)
    weights = solve_filter(target, gaussian_label(5, 4, 1.0).double(), RIDGE)
    kernel = spatial(weights, 5, 4)
    expected = sum(circulant(channel) @ plane.ravel()
                   for channel, plane in zip(maps.numpy(), kernel))
    assert np.allclose(respond(maps, weights).numpy().ravel(), expected)


def test_a_moved_target_moves_the_peak_and_context_is_answered_with_less():
    target, context = draw(4, 15, 15), draw(4, 15, 15, seed=5)
    label = gaussian_label(15, 15, 1.5).double()
    plain = solve_filter(target, label, 1e-4)
    aware = solve_filter(target, label, 1e-4, context[None], 10.0)
    moved = torch.roll(target, (3, -2), (1, 2))
    peak = np.unravel_index(int(respond(moved, plain).argmax()), (15, 15))
    assert peak == (3, 15 - 2)
    middle = np.unravel_index(int(centred(respond(moved, plain)).argmax()), (15, 15))
    assert middle == (7 + 3, 7 - 2)
    assert respond(context, aware).square().sum() < 0.5 * respond(context, plain).square().sum()


def test_gradients_of_the_layer_pass_gradcheck():
    label = gaussian_label(3, 4, 1.0).double()

    def loss(target, contexts, maps):
        weights = solve_filter(target, label, RIDGE, contexts, CONTEXT_WEIGHT)
        return (respond(maps, weights) - label).square().sum()

    parts = (draw(2, 3, 4), draw(2, 2, 3, 4, seed=1), draw(2, 3, 4, seed=2))
    assert torch.autograd.gradcheck(loss, [part.requires_grad_() for part in parts])


def test_autograd_agrees_with_the_gradients_of_eq_10_to_14():
    """One channel; eq. 13 holds for real spectra of the inner term, so it is taken exactly."""
    height, width = 5, 5
    target, context, maps = draw(1, 5, 5), draw(1, 1, 5, 5, seed=1), draw(1, 5, 5, seed=2)
    label = draw(height, width, seed=3)
    for part in (target, context, maps):
        part.requires_grad_()
    weights = solve_filter(target, label, RIDGE, context, CONTEXT_WEIGHT)
    (respond(maps, weights) - label).square().sum().backward()

    def spectrum(part):
        return np.fft.fft2(part.detach().numpy().reshape(height, width))

    z, c, x, y = (spectrum(part) for part in (target, context, maps, label))
    bottom = z.conj() * z + RIDGE + CONTEXT_WEIGHT * c.conj() * c
    w = z.conj() * y / bottom
    by_response = 2 * (x * w - y)                                  # eq. 10
    by_maps = np.fft.ifft2(by_response * w.conj())                 # eq. 11
    by_filter = by_response * x.conj()                             # eq. 12
    # w depends on z through its conjugate on top and through |z|^2 below; eq. 13 joins the two
    # into -2 Re(z* w), which is right where z* w is real. Both parts stand apart here.
    top = np.conj(by_filter) * y / bottom
    below = -2 * z * np.real(np.conj(by_filter) * w / bottom)
    by_target = np.fft.ifft2(top + below)                          # eq. 13
    by_context = np.fft.ifft2(-2 * CONTEXT_WEIGHT * c * np.real(np.conj(by_filter) * w / bottom))
    assert np.allclose(maps.grad[0].numpy(), by_maps.real)
    assert np.allclose(target.grad[0].numpy(), by_target.real)
    assert np.allclose(context.grad[0, 0].numpy(), by_context.real)


def test_eq_13_and_14_as_printed_where_target_and_label_are_symmetric():
    """Symmetric patches have real spectra, and there the printed formulas are exact."""
    def symmetric(seed):
        part = draw(5, 5, seed=seed)
        flipped = torch.roll(part.flip(0, 1), (1, 1), (0, 1))
        return (part + flipped)

    target, context, maps = symmetric(0)[None], symmetric(1)[None, None], symmetric(2)[None]
    label = symmetric(3)
    target.requires_grad_(), context.requires_grad_()
    weights = solve_filter(target, label, RIDGE, context, CONTEXT_WEIGHT)
    (respond(maps, weights) - label).square().sum().backward()
    z, c, x, y = (np.fft.fft2(part.detach().numpy().reshape(5, 5))
                  for part in (target, context, maps, label))
    bottom = z.conj() * z + RIDGE + CONTEXT_WEIGHT * c.conj() * c
    w = z.conj() * y / bottom
    by_filter = 2 * (x * w - y) * x.conj()
    printed_13 = by_filter * (y.conj() - 2 * np.real(z.conj() * w)) / bottom
    printed_14 = by_filter * (-2 * np.real(c.conj() * w)) / bottom
    assert np.allclose(target.grad[0].numpy(), np.fft.ifft2(printed_13).real)
    # Printed without the weight of the contexts, which is a constant factor.
    assert np.allclose(context.grad[0, 0].numpy(),
                       CONTEXT_WEIGHT * np.fft.ifft2(printed_14).real)


def test_the_label_wraps_and_moves_by_fractions():
    label = gaussian_label(6, 8, 1.3, (4.5, -1.25)).numpy()
    for row in range(6):
        for column in range(8):
            down = min(abs(row - 4.5 + 6 * turn) for turn in (-1, 0, 1))
            across = min(abs(column + 1.25 + 8 * turn) for turn in (-1, 0, 1))
            expected = np.exp(-(down ** 2 + across ** 2) / (2 * 1.3 ** 2))
            assert label[row, column] == pytest.approx(expected, rel=1e-5)


def test_the_window_is_hanns():
    window = cosine_window(9, 5).numpy()
    for row in range(9):
        for column in range(5):
            expected = (np.sin(np.pi * row / 8) * np.sin(np.pi * column / 4)) ** 2
            assert window[row, column] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('count', [1, 3])
def test_cross_correlation_is_the_sum_of_eq_3(count):
    templates, maps = draw(count, 2, 3, 3), draw(3, 2, 6, 5, seed=1)
    found = cross_correlate(templates, maps)
    assert found.shape == (3, 4, 3)
    for index in range(3):
        template = templates[index if count > 1 else 0]
        for u in range(4):
            for v in range(3):
                total = sum(float(template[:, i, j] @ maps[index, :, u + i, v + j])
                            for i in range(3) for j in range(3))
                assert found[index, u, v] == pytest.approx(total / 18)


def test_centre_cells_are_the_middle():
    maps = torch.arange(36.0).reshape(6, 6)
    assert torch.equal(centre_cells(maps, 2), maps[2:4, 2:4])


def test_smaller_maps_are_filled_up_with_zeros():
    target, context, maps = draw(2, 5, 5), draw(1, 2, 5, 5, seed=1), draw(2, 5, 5, seed=2)
    label = gaussian_label(8, 7, 1.0).double()
    found = respond(maps, solve_filter(target, label, RIDGE, context, CONTEXT_WEIGHT), (8, 7))
    target, context, maps = (torch.nn.functional.pad(part, (0, 2, 0, 3))
                             for part in (target, context, maps))
    expected = respond(maps, solve_filter(target, label, RIDGE, context, CONTEXT_WEIGHT))
    assert torch.allclose(found, expected)


def test_windows_lie_around_the_middle_one():
    maps = draw(2, 3, 9, 9)
    found = windows_around(maps, 5, 2, [(-1, 0), (1, 1)])
    assert found.shape == (2, 3, 3, 5, 5)
    for index, (top, left) in enumerate(((2, 2), (0, 2), (4, 4))):
        assert torch.equal(found[:, index], maps[:, :, top:top + 5, left:left + 5])

"""TSN's two nets against eq. 3 and 4 and fully connected layers written as float64 loops."""
import math

import numpy as np
import torch

from tracking_nodes.nn.similarity_net import SimilarityNetwork
from tracking_nodes.nn.spatial_net import KERNELS, SpatialNetwork

D, S, HIDDEN = 5, 3, 6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def similarity(dropout=0.5):
    return SimilarityNetwork(D, S, HIDDEN, dropout, generator()).double()


def layer(weight, bias, inputs):
    return [sum(float(w) * x for w, x in zip(row, inputs)) + float(b)
            for row, b in zip(weight, bias)]


def relu(values):
    return [max(value, 0.0) for value in values]


def test_the_temporal_net_is_three_layers_over_the_tuple_and_the_candidate():
    network, tuples, candidates = similarity(), draw(2, S, D), draw(2, D, seed=1)
    network.tuple.bias.data = draw(HIDDEN, seed=2)
    network.requires_grad_(False)
    whole = torch.cat([network.tuple.weight, network.candidate.weight], dim=1)
    expected = []
    for row in range(2):
        inputs = [*tuples[row].flatten().tolist(), *candidates[row].tolist()]
        first = relu(layer(whole, network.tuple.bias, inputs))
        second = relu(layer(network.second.weight, network.second.bias, first))
        expected += layer(network.third.weight, network.third.bias, second)
    logits = network(candidates, network.remember(tuples))
    np.testing.assert_allclose(logits, expected, rtol=1e-12)


def test_one_tuple_serves_all_candidates():
    network, candidates = similarity(), draw(4, D)
    one = network.remember(draw(1, S, D, seed=1))
    assert torch.equal(network(candidates, one), network(candidates, one.expand(4, -1)))


def test_dropout_is_of_the_given_generator_in_training_only():
    candidates, tuples = draw(50, D), draw(1, S, D, seed=1)
    network, twin = similarity(), similarity()
    torch.manual_seed(3)
    source = generator(7)
    answers = [each(candidates, each.remember(tuples), each.kept(50, drawn))
               for each, drawn in ((network, source), (twin, generator(7)))]
    assert torch.equal(*answers)
    again = network(candidates, network.remember(tuples), network.kept(50, source))
    assert not torch.equal(again, answers[0])
    still = [network(candidates, network.remember(tuples)) for _ in range(2)]
    assert torch.equal(*still)
    assert similarity(dropout=0.0).kept(50, generator()) is None


def test_dropout_leaves_out_the_share_and_keeps_the_mean():
    network = similarity(dropout=0.25)
    units = torch.ones(6000, HIDDEN, dtype=torch.float64)
    dropped = network._dropped(units, network.kept(len(units), generator())[0])
    assert abs(float((dropped == 0).double().mean()) - 0.25) < 0.02
    assert abs(float(dropped.mean()) - 1) < 0.02


def convolve(maps, weight, bias):
    """Return the correlation of maps (C, H, W) with a filter, edges filled with zeros."""
    out, channels, size, _ = weight.shape
    padded = np.pad(maps, ((0, 0), (size // 2,) * 2, (size // 2,) * 2))
    result = np.empty((out, *maps.shape[1:]))
    for filter_index, row, column in np.ndindex(result.shape):
        total = bias[filter_index]
        for channel in range(channels):
            piece = padded[channel, row:row + size, column:column + size]
            total += (piece * weight[filter_index, channel]).sum()
        result[filter_index, row, column] = total
    return result


def test_the_spatial_net_is_eq_3_and_4():
    network, windows = SpatialNetwork(2, (4, 3), generator()).double(), draw(2, 2, 9, 9)
    for index, each in enumerate(network.layers):
        each.bias.data = 0.3 * draw(len(each.bias), seed=4 + index)
    values = [(each.weight.detach().numpy(), each.bias.detach().numpy())
              for each in network.layers]
    for window, answer in zip(windows.numpy(), network(windows).detach().numpy()):
        maps = window
        for weight, bias in values[:2]:
            maps = np.maximum(convolve(maps, weight, bias), 0)
        expected = np.vectorize(lambda x: 1 / (1 + math.exp(-x)))(convolve(maps, *values[2])[0])
        np.testing.assert_allclose(answer, expected, rtol=1e-10)


def test_the_spatial_net_keeps_the_size_and_has_the_kernels_of_table_1():
    network = SpatialNetwork(8, (96, 256), generator())
    assert [each.kernel_size[0] for each in network.layers] == [7, 5, 3] == list(KERNELS)
    assert [each.out_channels for each in network.layers] == [96, 256, 1]
    assert all(each.stride == (1, 1) for each in network.layers)
    assert network(torch.zeros(1, 8, 15, 15)).shape == (1, 15, 15)
    assert float(network(torch.zeros(1, 8, 15, 15)).detach().max()) < 0.1

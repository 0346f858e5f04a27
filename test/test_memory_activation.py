"""RMAN's network against torch's LSTM cell and against the paper's equations in float64 loops."""
import math

import numpy as np
import pytest
import torch

from tracking_nodes.nn.memory_activation import (
    activation_weights, ACTIVATIONS, combine, RecurrentMemoryNetwork)

FEATURES, HIDDEN, K, FRAMES = 7, 5, 4, 3


def make(lstm=True, activation='memory', seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return RecurrentMemoryNetwork(FEATURES, HIDDEN, lstm, activation, generator).to(dtype)


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def parameters(network):
    return {name: value.detach().numpy() for name, value in network.named_parameters()}


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def lstm_loop(network, sequence):
    """Return all hidden states (T, H) of the textbook LSTM, number by number."""
    values = parameters(network)
    hidden, cell, states = [0.0] * HIDDEN, [0.0] * HIDDEN, []
    for patch in sequence:
        before = list(hidden)
        for unit in range(HIDDEN):
            gates = [sum(values['encode.weight'][gate * HIDDEN + unit][i] * patch[i]
                         for i in range(FEATURES))
                     + values['encode.bias'][gate * HIDDEN + unit]
                     + sum(values['recur.weight'][gate * HIDDEN + unit][j] * before[j]
                           for j in range(HIDDEN)) for gate in range(4)]
            enter, forget, new, leave = gates
            cell[unit] = sigmoid(forget) * cell[unit] + sigmoid(enter) * math.tanh(new)
            hidden[unit] = sigmoid(leave) * math.tanh(cell[unit])
        states.append(list(hidden))
    return np.array(states)


def cosine(one, other):
    dot = sum(a * b for a, b in zip(one, other))
    return dot / (math.sqrt(sum(a * a for a in one)) * math.sqrt(sum(b * b for b in other)))


def test_memory_states_are_those_of_torchs_cell():
    network, patches = make(), draw(FRAMES, K, FEATURES)
    cell = torch.nn.LSTMCell(FEATURES, HIDDEN).double()
    with torch.no_grad():
        cell.weight_ih.copy_(network.encode.weight)
        cell.weight_hh.copy_(network.recur.weight)
        cell.bias_ih.copy_(network.encode.bias)
        cell.bias_hh.zero_()
        memory = network.remember(patches)
        state = None
        for step in range(K):
            state = cell(patches[:, step], state)
            torch.testing.assert_close(memory.states[:, step], state[0])
    torch.testing.assert_close(memory.cell, state[1])


def test_memory_states_are_those_of_the_written_out_loop():
    network, patches = make(seed=1), draw(FRAMES, K, FEATURES, seed=1)
    with torch.no_grad():
        states = network.remember(patches).states.numpy()
    for frame in range(FRAMES):
        np.testing.assert_allclose(states[frame], lstm_loop(network, patches[frame].numpy()),
                                   rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_a_representation_is_that_of_the_equations(activation):
    """Eq. 1, 2 and 4 over the K + 1 states of each whole sequence (x, b_1 .. b_K)."""
    network = make(activation=activation, seed=2)
    patches, samples = draw(FRAMES, K, FEATURES, seed=2), draw(6, FEATURES, seed=3)
    frames = torch.tensor([0, 2, 1, 1, 0, 2])
    with torch.no_grad():
        result = network.represent(samples, network.remember(patches).at(frames))
    for row, frame in enumerate(frames.tolist()):
        *states, current = lstm_loop(network, [*patches[frame].numpy(), samples[row].numpy()])
        np.testing.assert_allclose(result.current[row], current, rtol=1e-11)
        if activation == 'none':
            np.testing.assert_allclose(result.full[row], current, rtol=1e-11)
            continue
        theta = [cosine(current, state) for state in states]
        total = sum(math.exp(value) for value in theta)
        reference = sum(math.exp(value) / total * state for value, state in zip(theta, states))
        np.testing.assert_allclose(result.reference[row], reference, rtol=1e-11)
        weights = theta if activation == 'memory' else [1 / K] * K
        activated = sum(weight * state for weight, state in zip(weights, states))
        np.testing.assert_allclose(result.full[row], np.concatenate([activated, current]),
                                   rtol=1e-11)
    if activation == 'none':
        assert result.reference is None


def test_the_memory_once_per_frame_equals_the_whole_sequence_per_candidate():
    """What saves the time changes nothing: torch's LSTM over K + 1 patches of each candidate."""
    network = make(seed=4)
    patches, candidates = draw(1, K, FEATURES, seed=4), draw(50, FEATURES, seed=5)
    whole = torch.nn.LSTM(FEATURES, HIDDEN, batch_first=True).double()
    with torch.no_grad():
        whole.weight_ih_l0.copy_(network.encode.weight)
        whole.weight_hh_l0.copy_(network.recur.weight)
        whole.bias_ih_l0.copy_(network.encode.bias)
        whole.bias_hh_l0.zero_()
        sequences = torch.cat([patches.expand(50, K, FEATURES), candidates[:, None]], dim=1)
        states, _ = whole(sequences)
        past, current = states[:, :K], states[:, K]
        theta = torch.nn.functional.cosine_similarity(current[:, None], past, dim=2)
        full = torch.cat([(theta[..., None] * past).sum(dim=1), current], dim=1)
        once = network(candidates, network.remember(patches).at(torch.zeros(50).long()))
        torch.testing.assert_close(once, network.classifier(full))


def test_gradients_reach_the_memory_as_through_the_whole_sequence():
    network, patches, samples = make(seed=6), draw(2, K, FEATURES), draw(4, FEATURES, seed=7)
    frames = torch.tensor([0, 1, 1, 0])

    def logits(inputs):
        return network(inputs[:4, 0], network.remember(inputs[4:].reshape(2, K, FEATURES))
                       .at(frames)).sum()
    packed = torch.cat([samples[:, None], patches.reshape(2 * K, 1, FEATURES)])
    assert torch.autograd.gradcheck(logits, packed.requires_grad_())
    logits(packed).backward()
    assert (packed.grad[4:].abs().sum(dim=(1, 2)) > 0).all()


@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_without_the_lstm_a_linear_layer_stands_in_its_place(activation):
    network = make(lstm=False, activation=activation)
    patches, samples = draw(1, K, FEATURES), draw(3, FEATURES, seed=9)
    values = parameters(network)
    assert not any(name.startswith('recur') for name in values)

    def layer(rows):
        return np.maximum(rows @ values['encode.weight'].T + values['encode.bias'], 0)
    with torch.no_grad():
        memory = network.remember(patches)
        result = network.represent(samples, memory.at(torch.zeros(3).long()))
    np.testing.assert_allclose(memory.states[0], layer(patches[0].numpy()), rtol=1e-12)
    np.testing.assert_allclose(result.current, layer(samples.numpy()), rtol=1e-12)
    assert result.full.shape == (3, HIDDEN if activation == 'none' else 2 * HIDDEN)


def test_the_order_of_the_patches_matters_to_the_lstm_alone():
    patches, samples = draw(1, K, FEATURES), draw(3, FEATURES, seed=1)
    same = torch.zeros(3).long()
    for lstm in (True, False):
        network = make(lstm=lstm)
        with torch.no_grad():
            forth, back = (network(samples, network.remember(order).at(same))
                           for order in (patches, patches.flip(1)))
        assert torch.allclose(forth, back) == (not lstm)


def test_weights_of_activation_are_cosines():
    current, states = draw(5, HIDDEN), draw(5, K, HIDDEN, seed=1)
    weights = activation_weights(current, states)
    expected = [[cosine(current[n].tolist(), states[n, k].tolist()) for k in range(K)]
                for n in range(5)]
    np.testing.assert_allclose(weights, expected, rtol=1e-12)
    torch.testing.assert_close(activation_weights(states[:, 2], states)[:, 2],
                               torch.ones(5).double())
    # The length of a state does not count, and a state of zeros is similar to nothing.
    torch.testing.assert_close(activation_weights(3 * current, 0.1 * states), weights)
    assert (activation_weights(torch.zeros_like(current), states) == 0).all()


def test_combine_weighs_each_state():
    weights, states = draw(2, K), draw(2, K, HIDDEN, seed=1)
    expected = [sum(weights[n, k] * states[n, k] for k in range(K)) for n in range(2)]
    torch.testing.assert_close(combine(weights, states), torch.stack(expected))


def test_the_classifier_is_the_papers():
    network = RecurrentMemoryNetwork(20, 512, True, 'memory', torch.Generator())
    layers = [layer for layer in network.classifier if isinstance(layer, torch.nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in layers] == [(512, 1024), (2, 512)]
    assert network.encode.weight.shape == (4 * 512, 20)


@pytest.mark.parametrize('lstm', [True, False])
def test_all_initial_weights_come_from_the_generator(lstm):
    torch.manual_seed(0)
    first = parameters(make(lstm=lstm, seed=3))
    torch.manual_seed(1)
    again, other = parameters(make(lstm=lstm, seed=3)), parameters(make(lstm=lstm, seed=4))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
        assert name.endswith('bias') or not np.array_equal(value, other[name])

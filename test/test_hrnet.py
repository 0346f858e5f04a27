"""HRNet: its size as published, its graph against one written out, and folding."""
import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm, conv2d, interpolate, relu

from tracking_nodes.nn.hrnet import HRNet, STRIDE, Unit


def narrow(inputs=5):
    """Return a narrow network whose batch norms have seen something, in float64."""
    torch.manual_seed(0)
    network = HRNet(inputs, 2, 2).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, std=0.3)
    nn.init.normal_(network.head.weight)
    return network.eval()


def image(inputs=5, height=64, width=96):
    return torch.randn(2, inputs, height, width, dtype=torch.float64,
                       generator=torch.Generator().manual_seed(1))


class WrittenOut:
    """The network of Sun et al., Fig. 1, layer by layer, on the tensors of another."""

    def __init__(self, tensors):
        self.tensors, self.used = tensors, set()

    def unit(self, name, maps, stride=1):
        weight = self.tensors[f'{name}.conv.weight']
        self.used.add(name)
        maps = conv2d(maps, weight, stride=stride, padding=(weight.shape[-1] - 1) // 2)
        return batch_norm(maps, *(self.tensors[f'{name}.norm.{kind}'] for kind in (
            'running_mean', 'running_var', 'weight', 'bias')), training=False, eps=1e-5)

    def residual(self, name, maps, depth):
        inner = maps
        for number in range(1, depth + 1):
            inner = self.unit(f'{name}.conv{number}', relu(inner) if number > 1 else inner)
        if f'{name}.downsample.0.conv.weight' in self.tensors:
            maps = self.unit(f'{name}.downsample.0', maps)
        return relu(inner + maps)

    def exchange(self, name, levels, kept):
        for level in range(len(levels)):
            for block in (0, 1):
                levels[level] = self.residual(f'{name}.branches.{level}.{block}',
                                              levels[level], 2)
        fused = []
        for end in range(kept):
            total = 0
            for start, maps in enumerate(levels):
                path = f'{name}.paths.{end}.{start}'
                if start > end:
                    maps = interpolate(self.unit(f'{path}.0', maps),
                                       scale_factor=2 ** (start - end), mode='nearest')
                for step in range(end - start):
                    # ReLUs stand between the steps.
                    maps = self.unit(f'{path}.{2 * step}', relu(maps) if step else maps, 2)
                total = total + maps
            fused.append(relu(total))
        return fused

    def __call__(self, maps):
        for name in ('stem.0', 'stem.2'):
            maps = relu(self.unit(name, maps, 2))
        for block in (0, 1):
            maps = self.residual(f'stage1.{block}', maps, 3)
        levels = [relu(self.unit('transition2.paths.0.0', maps)),
                  relu(self.unit('transition2.paths.1.0', maps, 2))]
        levels = self.exchange('stage2.0', levels, 2)
        levels.append(relu(self.unit('transition3.paths.2.0', levels[-1], 2)))
        levels = self.exchange('stage3.0', levels, 3)
        levels.append(relu(self.unit('transition4.paths.3.0', levels[-1], 2)))
        highest, = self.exchange('stage4.0', levels, 1)
        return conv2d(highest, self.tensors['head.weight'], self.tensors['head.bias'])


@torch.no_grad()
def test_the_graph_is_that_of_the_paper():
    network = narrow()
    written = WrittenOut(network.state_dict())
    wanted = written(image())
    found = network(image())
    assert found.shape == (2, 2, 64 // STRIDE, 96 // STRIDE)
    torch.testing.assert_close(found, wanted)
    assert found.std() > 0.1
    assert written.used == {name for name, module in network.named_modules()
                            if isinstance(module, Unit)}


# Sun et al., Table 1: millions of parameters of the pose networks, 17 heatmaps of an RGB image.
@pytest.mark.parametrize('width, millions', [(32, 28.5), (48, 63.6)])
def test_the_published_networks_have_their_published_size(width, millions):
    with torch.device('meta'):
        network = HRNet(3, width, 17)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)
    blocks = [len(branch) for stage in (2, 3, 4) for module in getattr(network, f'stage{stage}')
              for branch in module.branches]
    assert blocks == [4] * (1 * 2 + 4 * 3 + 3 * 4) and len(network.stage1) == 4


def test_narrow_networks_are_narrowed_throughout():
    network = HRNet(11, 8)
    assert [network.stem[0].conv.out_channels, network.head.in_channels] == [16, 8]
    assert [branch[0].conv1.conv.out_channels for branch in network.stage4[0].branches] == [
        8, 16, 32, 64]


@torch.no_grad()
def test_folding_batch_norms_changes_nothing_but_their_absence():
    network = narrow()
    folded = network.folded()
    torch.testing.assert_close(folded(image()), network(image()))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    assert not any('norm' in name for name in folded.state_dict())


def test_an_untrained_network_answers_about_zero_and_learns_in_every_layer():
    torch.manual_seed(0)
    network = HRNet(5, 2)
    answer = network(image().float())
    assert answer.abs().max() < 0.1
    answer.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all()
               for parameter in network.parameters())

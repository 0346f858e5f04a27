"""Feature backbones: shapes, geometry, density and equality with the networks they come from."""
import pytest
from safetensors.torch import load_file
import torch
from torch.nn import functional
import torchvision
from torchvision.ops import roi_align

from tracking_nodes.errors import SettingError
from tracking_nodes.nn import backbones, plain
from tracking_nodes.nn.backbones import load_backbone


def random_images(height, width, seed=0, count=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, generator=generator) * 255


def test_vggm_has_the_published_sizes():
    backbone = load_backbone('vggm', 'random')
    shapes = [tuple(maps.shape) for maps in
              backbone(random_images(107, 107), ('conv1', 'conv2', 'conv3'))]
    assert shapes == [(1, 96, 51, 51), (1, 256, 11, 11), (1, 512, 3, 3)]
    convolutions = [layer for layer in backbone.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert [tuple(layer.kernel_size) for layer in convolutions] == [(7, 7), (5, 5), (3, 3)]
    assert sum(p.numel() for p in backbone.parameters()) == (
        96 * (147 + 1) + 256 * (96 * 25 + 1) + 512 * (256 * 9 + 1))


def test_normalisation_is_that_of_caffe_and_matconvnet():
    maps = torch.randn(2, 96, 5, 4, generator=torch.Generator().manual_seed(1)) * 60
    expected = functional.local_response_norm(maps, 5, alpha=5e-4, beta=0.75, k=2)
    torch.testing.assert_close(plain.LocalResponseNorm()(maps), expected)


@pytest.mark.parametrize('dense', (False, True))
@pytest.mark.parametrize('name', backbones.names())
def test_a_cell_sees_exactly_the_pixels_its_geometry_says(name, dense):
    """With all weights equal, the gradient of a cell has its centre of mass at its centre."""
    backbone = load_backbone(name, 'random', dense=dense)
    for layer in backbone.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight.fill_(1.0 / layer.weight[0].numel())
    side = 256
    coordinates = torch.arange(side).double() + 0.5
    for tap in (backbone.taps[0], backbone.taps[-2], backbone.taps[-1]):
        images = torch.full((1, 3, side, side), 200.0, requires_grad=True)
        maps = smooth_forward(backbone, images, tap)
        assert maps.shape[1] == backbone.channels[tap]
        row, column = maps.shape[2] // 2, maps.shape[3] // 2 + 1
        maps[0, :, row, column].sum().backward()
        weight = images.grad[0].abs().double().sum(dim=0)
        seen_y = (weight.sum(dim=1) * coordinates).sum() / weight.sum()
        seen_x = (weight.sum(dim=0) * coordinates).sum() / weight.sum()
        expected = [backbone.offset[tap] + backbone.stride[tap] * cell for cell in (row, column)]
        # ResNet-50 sees a little past the borders of the image, where nothing has weight.
        assert [seen_y.item(), seen_x.item()] == pytest.approx(expected, abs=0.02)


def smooth_forward(backbone, images, tap):
    """Run the stages with maxima replaced by means, whose gradient is spread evenly."""
    def mean_pool(maps, layer):
        return functional.avg_pool2d(maps, layer.kernel_size, layer.stride, layer.padding)

    maps = images
    for name in backbone.taps[:backbone.taps.index(tap) + 1]:
        for layer in backbone.stages[name]:
            if isinstance(layer, torch.nn.MaxPool2d):
                maps = mean_pool(maps, layer)
            elif not isinstance(layer, plain.LocalResponseNorm):
                maps = layer(maps)
    return maps


@pytest.mark.parametrize('name', backbones.names())
def test_dense_maps_hold_the_ordinary_ones_at_every_second_cell(name):
    images = random_images(139, 155).double()
    ordinary = load_backbone(name, 'random', seed=3).double()
    dense = load_backbone(name, 'random', dense=True, seed=3).double()
    tap = ordinary.taps[-1]
    expected, = ordinary(images, [tap])
    found, = dense(images, [tap])
    assert dense.stride[tap] * 2 == ordinary.stride[tap]
    assert dense.offset[tap] == ordinary.offset[tap]
    torch.testing.assert_close(found[:, :, ::2, ::2], expected)


def test_roi_align_by_the_documented_formula_finds_a_translated_patch():
    """A patch moved by one stride gives the same RoI features at its moved box."""
    backbone = load_backbone('vggm', 'random')
    stride, offset = backbone.stride['conv3'], backbone.offset['conv3']
    scene = random_images(203, 203)
    moved = torch.roll(scene, (stride, 2 * stride), dims=(2, 3))

    def pooled(images, left, top, side):
        box = torch.tensor([[left, top, left + side, top + side]], dtype=torch.float32)
        maps, = backbone(images, ['conv3'])
        return roi_align(maps, [(box - offset) / stride + 0.5], (3, 3), aligned=True)

    torch.testing.assert_close(pooled(moved, 60 + 2 * stride, 55 + stride, 50),
                               pooled(scene, 60, 55, 50), rtol=1e-4, atol=1e-4)


def test_taps_come_in_the_order_asked_and_nothing_deeper_is_computed():
    backbone = load_backbone('alexnet', 'random')
    backbone.stages['conv4'].register_forward_hook(lambda *_: pytest.fail('computed too much'))
    third, first = backbone(random_images(107, 107), ('conv3', 'conv1'))
    assert (third.shape[1], first.shape[1]) == (384, 64)


def test_backbones_are_frozen_and_random_weights_follow_the_seed():
    first, same, other = (load_backbone('vggm', 'random', seed=seed) for seed in (5, 5, 6))
    assert not first.training
    assert not any(parameter.requires_grad for parameter in first.parameters())
    images = random_images(107, 107)
    results = [backbone(images, ['conv3'])[0] for backbone in (first, same, other)]
    assert torch.equal(results[0], results[1])
    assert not torch.allclose(results[0], results[2], rtol=0.1)
    assert 0.1 < results[0].std() < 10


def test_unknown_names_are_told_with_the_known_ones():
    with pytest.raises(SettingError, match='vggm'):
        load_backbone('vgg19')
    with pytest.raises(SettingError, match='conv3'):
        load_backbone('vggm', 'random')(random_images(107, 107), ['layer3'])


def lively(network, seed):
    """Give a torchvision network random batch-norm statistics, so that folding matters."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for tensor, low, high in ((layer.weight, 0.3, 1.0), (layer.bias, -0.5, 0.5),
                                      (layer.running_mean, -0.5, 0.5),
                                      (layer.running_var, 0.5, 2.0)):
                tensor.data.uniform_(low, high, generator=generator)
    return network.eval()


def torchvision_layers(network, images):
    """Return layer1, layer2, layer3 of an original torchvision ResNet, preprocessed as it is."""
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    maps = (images[:, [2, 1, 0]] / 255 - mean) / std
    maps = network.maxpool(network.relu(network.bn1(network.conv1(maps))))
    found = []
    for layer in (network.layer1, network.layer2, network.layer3):
        maps = layer(maps)
        found.append(maps)
    return found


@pytest.mark.parametrize('name', ('resnet18', 'resnet50'))
def test_folded_resnets_equal_the_originals(name, tmp_path):
    network = lively(torchvision.models.get_model(name, weights=None), seed=2)
    file = tmp_path / f'{name}.pth'
    torch.save(network.state_dict(), file)
    images = random_images(97, 129)
    with torch.inference_mode():
        expected = torchvision_layers(network, images)
        found = load_backbone(name, str(file))(images, ('layer1', 'layer2', 'layer3'))
    for maps, original in zip(found, expected):
        torch.testing.assert_close(maps, original, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('name, last', (('alexnet', 11), ('vgg16', 29)))
def test_chains_equal_torchvision(name, last, tmp_path):
    """`last` is the index in torchvision's `features` of the deepest ReLU."""
    with torch.device('meta'):
        network = torchvision.models.get_model(name, weights=None)
    features = network.features.to_empty(device='cpu').eval()
    generator = torch.Generator().manual_seed(4)
    for parameter in features.parameters():
        parameter.data.normal_(std=0.05, generator=generator)
    state = {f'features.{key}': tensor for key, tensor in features.state_dict().items()}
    file = tmp_path / f'{name}.pth'
    torch.save({**state, 'classifier.6.bias': torch.zeros(1000)}, file)
    images = random_images(107, 123)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    backbone = load_backbone(name, str(file))
    with torch.inference_mode():
        expected = features[:last + 1]((images[:, [2, 1, 0]] / 255 - mean) / std)
        found, = backbone(images, [backbone.taps[-1]])
    assert expected.std() > 0
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * expected.std().item())


def test_keras_resnet50_strides_on_the_first_convolution(tracking_data, monkeypatch):
    """Torchvision's own modules, with strides moved and biases added, give the same maps."""
    monkeypatch.setenv('TRACKING_MODELS', str(tracking_data / 'weights'))
    network = torchvision.models.resnet50(weights=None)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.bias = torch.nn.Parameter(torch.zeros(layer.out_channels))
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eps = 1.001e-5
    for layer in (network.layer2, network.layer3):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    tensors = load_file(tracking_data / 'weights' / 'resnet50_c4_imagenet.safetensors')
    lacking = network.load_state_dict({k: t.float() for k, t in tensors.items()}, strict=False)
    assert all(key.startswith(('layer4', 'fc')) or key.endswith('num_batches_tracked')
               for key in lacking.missing_keys) and not lacking.unexpected_keys
    images = random_images(97, 129)
    centred = images - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    network.eval()
    with torch.inference_mode():
        maps = network.maxpool(network.relu(network.bn1(network.conv1(centred))))
        expected = network.layer3(network.layer2(network.layer1(maps)))
        found, = load_backbone('resnet50')(images, ['layer3'])
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)

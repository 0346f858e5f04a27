"""Networks over clips: what they compute, where their cells lie, and the files they load."""
from itertools import product
import json

from google.protobuf import descriptor_pb2, message_factory
import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn import functional
import torchvision

from tracking_nodes.errors import SettingError, WeightsError
from tracking_nodes.nn import c3d
from tracking_nodes.nn.c3d import C3d, channels_of, folded, LAYERS, load_c3d
from tracking_nodes.nn.r3d import load_r3d18
from tracking_nodes.nn.temporal_backbones import load_temporal_backbone, NAMES
from tracking_nodes.nn.weights import Preprocessing

WIDTHS = (2, 3, 2, 2, 3, 2, 2, 4)
ENUM = torchvision.models.video.R3D_18_Weights.KINETICS400_V1


@pytest.fixture(autouse=True)
def no_models_directory(monkeypatch):
    monkeypatch.delenv('TRACKING_MODELS', raising=False)


def random_clips(frames=4, height=32, width=32, seed=0):
    return 255 * torch.rand(1, 3, frames, height, width, dtype=torch.float64,
                            generator=torch.Generator().manual_seed(seed))


def random_c3d(preprocessing=c3d.SPORTS_1M):
    """Return a narrow C3D with random weights and biases."""
    network = C3d(WIDTHS, preprocessing)
    generator = torch.Generator().manual_seed(3)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, -0.4, 0.5, generator=generator)
    return network.requires_grad_(False).eval()


def convolved(maps, weight, bias):
    """Return eq. 7 by a loop over all outputs: maps (I, T, H, W), weight (O, I, 3, 3, 3)."""
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (1, 1)))
    found = np.empty((len(weight), *maps.shape[1:]))
    for out, t, y, x in product(*map(range, found.shape)):
        window = padded[:, t:t + 3, y:y + 3, x:x + 3]
        found[out, t, y, x] = max(0.0, bias[out] + (weight[out] * window).sum())
    return found


def pooled(maps, size):
    """Return the maxima of blocks of (t, h, w), by a loop."""
    found = np.empty((len(maps), *(have // step for have, step in zip(maps.shape[1:], size))))
    for channel, t, y, x in product(*map(range, found.shape)):
        block = [slice(at * step, (at + 1) * step) for at, step in zip((t, y, x), size)]
        found[channel, t, y, x] = maps[channel][tuple(block)].max()
    return found


def test_c3d_computes_equation_7_layer_by_layer():
    clip = random_clips()
    network = random_c3d().double()
    maps = clip[0].numpy() - np.array(c3d.SPORTS_1M.mean)[:, None, None, None]
    for (name, _, _), pool in zip(LAYERS, [(1, 2, 2), (2, 2, 2), None, (2, 2, 2), None, (1, 2, 2),
                                           None, None]):
        layer = getattr(network, name)
        maps = convolved(maps, layer.weight.numpy(), layer.bias.numpy())
        if pool:
            maps = pooled(maps, pool)
    assert maps.shape == (4, 1, 2, 2) and maps.max() > 0
    torch.testing.assert_close(network(clip), torch.from_numpy(maps).transpose(0, 1))


@pytest.mark.parametrize('frames', (1, 2, 4))
def test_frames_side_by_side_as_channels_convolve_as_in_time(frames):
    maps, weight = (torch.randn(*shape, dtype=torch.float64,
                                generator=torch.Generator().manual_seed(1))
                    for shape in ((2, 3, frames, 6, 5), (4, 3, 3, 3, 3)))
    expected = functional.conv3d(maps, weight, padding=1)
    found = functional.conv2d(maps.transpose(1, 2).flatten(1, 2), folded(weight, frames),
                              padding=1)
    torch.testing.assert_close(found.unflatten(1, (frames, 4)).transpose(1, 2), expected)


def test_sizes_are_those_of_table_1(monkeypatch):
    sizes, convolve = [], functional.conv2d

    def recorded(*inputs, **options):
        maps = convolve(*inputs, **options)
        sizes.append((*maps.shape[2:], maps.shape[1]))
        return maps

    monkeypatch.setattr(functional, 'conv2d', recorded)
    found = C3d(channels_of(1.0)).to('meta')(torch.empty(1, 3, 4, 224, 224, device='meta'))
    assert sizes == [(224, 224, 4 * 64), (112, 112, 4 * 128), (56, 56, 2 * 256), (56, 56, 2 * 256),
                     (28, 28, 512), (28, 28, 512), (14, 14, 512), (14, 14, 512)]
    assert found.shape == (1, 512, 14, 14)


@pytest.mark.parametrize('name', NAMES)
def test_stride_and_offset_are_those_of_the_receptive_fields(name, monkeypatch):
    # Means spread their gradient evenly, and positive weights cancel nothing.
    monkeypatch.setattr(functional, 'max_pool2d', functional.avg_pool2d)
    network = load_temporal_backbone(name, 'random', width=0.01).double()
    for parameter in network.parameters():
        if parameter.dim() == 5:
            parameter.fill_(1 / parameter[0].numel())
    clip = torch.full((1, 3, 4, 288, 16), 255.0, dtype=torch.float64, requires_grad=True)
    maps = network(clip)
    assert maps.shape == (1, network.channels, 18, 1)
    for cell in (8, 9):
        gradient, = torch.autograd.grad(maps[0, :, cell].sum(), clip, retain_graph=True)
        seen = gradient.sum(dim=(0, 1, 2, 4)).nonzero()
        assert seen.min() > 0 and seen.max() < 287
        # Pixel p reaches from p to p + 1.
        assert (seen.min() + seen.max() + 1) / 2 == network.offset + cell * network.stride


def test_clips_are_normalised_as_their_preprocessing_says():
    clip = random_clips()
    rgb = Preprocessing('rgb', 255.0, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    network = random_c3d(rgb).double()
    expected = clip.flip(1) / 255
    for channel in range(3):
        expected[:, channel] -= rgb.mean[channel]
        expected[:, channel] /= rgb.std[channel]
    plain = random_c3d(Preprocessing('bgr', 1.0, (0.0,) * 3, (1.0,) * 3)).double()
    torch.testing.assert_close(network(clip), plain(expected), rtol=1e-5, atol=1e-5)


def caffe_messages(layers, layer_fields, blob_fields):
    """Return the class of a network in a caffe.proto with these field numbers."""
    file = descriptor_pb2.FileDescriptorProto(name='written.proto', package='written')
    network, layer, blob, shape = (file.message_type.add(name=name)
                                   for name in ('Network', 'Layer', 'Blob', 'Shape'))
    network.field.add(name='layers', number=layers, type=11, label=3, type_name='.written.Layer')
    layer.field.add(name='name', number=layer_fields['name'], type=9, label=1)
    layer.field.add(name='blobs', number=layer_fields['blobs'], type=11, label=3,
                    type_name='.written.Blob')
    shape.field.add(name='dim', number=1, type=3, label=3).options.packed = True
    for name, number in blob_fields.items():
        if name == 'data':
            blob.field.add(name=name, number=number, type=2, label=3).options.packed = True
        elif name == 'shape':
            blob.field.add(name=name, number=number, type=11, label=1, type_name='.written.Shape')
        else:
            blob.field.add(name=name, number=number, type=5, label=1)
    classes = message_factory.GetMessages([file])
    return classes['written.Network']


# Field numbers in src/caffe/proto/caffe.proto of facebook/C3D.
CAFFE = {
    'C3D-v1.0': (2, {'name': 4, 'blobs': 6}, {'num': 1, 'channels': 2, 'length': 3, 'height': 4,
                                              'width': 5, 'data': 6}),
    'C3D-v1.1': (100, {'name': 1, 'blobs': 7}, {'data': 5, 'shape': 7}),
}


def write_caffemodel(path, version, tensors):
    """Write layers {name: (weights, biases)} as that version of Caffe does."""
    network = caffe_messages(*CAFFE[version])()
    for name, arrays in tensors.items():
        layer = network.layers.add(name=name)
        for array in arrays:
            blob = layer.blobs.add()
            blob.data.extend(array.ravel().tolist())
            if version == 'C3D-v1.1':
                blob.shape.dim.extend(array.shape)
            else:
                for size, count in zip(('num', 'channels', 'length', 'height', 'width'),
                                       (1,) * (5 - array.ndim) + array.shape):
                    setattr(blob, size, count)
    path.write_bytes(network.SerializeToString())


def published(network):
    """Return a network's layers as the published file has them, its classifier too."""
    random = np.random.default_rng(0)
    layers = {name: (getattr(network, name).weight.numpy(), getattr(network, name).bias.numpy())
              for name, _, _ in LAYERS}
    return {**layers, 'fc6-1': (random.normal(size=(5, 8)), random.normal(size=5))}


@pytest.mark.parametrize('version', CAFFE)
def test_the_published_caffe_model_loads(version, tmp_path):
    network = random_c3d()
    write_caffemodel(tmp_path / 'sport1m.caffemodel', version, published(network))
    loaded = load_c3d('sport1m.caffemodel', models=str(tmp_path))
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert loaded.preprocessing == c3d.SPORTS_1M and loaded.extra == {}
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_the_published_pytorch_file_loads_under_its_names(tmp_path):
    network = random_c3d()
    tensors = {name.replace('conv1a', 'conv1').replace('conv2a', 'conv2'): tensor
               for name, tensor in network.state_dict().items()}
    tensors['fc6.weight'] = torch.zeros(5, 8)
    # As PyTorch wrote files when this one was.
    torch.save(tensors, tmp_path / 'c3d.pickle', _use_new_zipfile_serialization=False)
    loaded = load_c3d(str(tmp_path / 'c3d.pickle'))
    torch.testing.assert_close(loaded(random_clips().float()), network(random_clips().float()))
    assert loaded.preprocessing.order == 'bgr' and loaded.extra == {}


def test_a_file_of_this_package_brings_width_preprocessing_and_what_follows(tmp_path):
    network = random_c3d()
    stated = {'order': 'rgb', 'scale': 255, 'mean': [0.1, 0.2, 0.3], 'std': [1, 1, 1]}
    tensors = {**network.state_dict(), 'fc4.weight': torch.ones(2, 36)}
    safetensors.torch.save_file(tensors, tmp_path / 'own.safetensors',
                                {'preprocessing': json.dumps(stated)})
    loaded = load_c3d(str(tmp_path / 'own.safetensors'))
    assert loaded.channels == WIDTHS[-1]
    assert loaded.preprocessing == Preprocessing('rgb', 255.0, (0.1, 0.2, 0.3), (1, 1, 1))
    assert list(loaded.extra) == ['fc4.weight'] and loaded.extra['fc4.weight'].sum() == 72


def test_a_model_cut_short_is_an_error_that_names_it(tmp_path):
    path = tmp_path / 'cut.caffemodel'
    write_caffemodel(path, 'C3D-v1.0', published(random_c3d()))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match='cut.caffemodel is not a whole Caffe model'):
        load_c3d(str(path))


def test_other_models_and_shapes_are_errors_that_name_file_and_layer(tmp_path):
    path, layers = tmp_path / 'other.caffemodel', published(random_c3d())

    def fails(message, **changed):
        write_caffemodel(path, 'C3D-v1.0', {**layers, **changed})
        with pytest.raises(WeightsError, match=f'other.caffemodel.*{message}'):
            load_c3d(str(path))

    weight, bias = layers['conv3a']
    fails(r'conv3a.weight is \(2, 3, 3, 3, 2\), expected \(2, 3, 3, 3, 3\)',
          conv3a=(weight[..., :2], bias))
    fails('layer conv3a has 1 blobs, expected weights and biases', conv3a=(weight,))
    fails('lacks conv3a.weight, conv3a.bias', conv3a=())
    write_caffemodel(path, 'C3D-v1.0', {'fc6-1': layers['fc6-1']})
    with pytest.raises(WeightsError, match='other.caffemodel has no convolutions over time'):
        load_c3d(str(path))


def test_values_that_do_not_fill_the_shape_name_file_and_layer(tmp_path):
    network = caffe_messages(*CAFFE['C3D-v1.0'])()
    blob = network.layers.add(name='conv1a').blobs.add(num=2, channels=3, length=3, height=3,
                                                       width=3)
    blob.data.extend([0.5] * 100)
    path = tmp_path / 'odd.caffemodel'
    path.write_bytes(network.SerializeToString())
    with pytest.raises(WeightsError, match=r'odd.caffemodel: layer conv1a has 100 values'):
        load_c3d(str(path))


def test_weights_of_kinetics_load_from_torchvisions_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    cached = tmp_path / 'hub' / 'checkpoints' / ENUM.url.rsplit('/', 1)[-1]
    cached.parent.mkdir(parents=True)
    torch.manual_seed(0)
    network = torchvision.models.video.r3d_18(weights=None).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    torch.save(network.state_dict(), cached)
    loaded = load_temporal_backbone('r3d_18')
    clip = random_clips().float()
    transforms = ENUM.transforms()
    rgb = torchvision.transforms.functional.normalize(
        clip[0].flip(0).transpose(0, 1) / 255, transforms.mean, transforms.std)
    with torch.inference_mode():
        expected = rgb.transpose(0, 1)[None]
        for stage in (network.stem, network.layer1, network.layer2, network.layer3,
                      network.layer4):
            expected = stage(expected)
        torch.testing.assert_close(loaded(clip), expected[:, :, 0], rtol=1e-3, atol=1e-4)
    assert loaded.extra == {}


def test_another_file_in_a_models_folder_is_not_taken_for_kinetics(tmp_path):
    (tmp_path / ENUM.url.rsplit('/', 1)[-1]).write_bytes(b'something else')
    with pytest.raises(WeightsError, match='r3d_18-b3b3357e.pth is damaged.*sha256'):
        load_r3d18(models=str(tmp_path))
    safetensors.torch.save_file(random_c3d().state_dict(), tmp_path / 'c3d.safetensors')
    with pytest.raises(WeightsError, match='c3d.safetensors is not of this network.*stem'):
        load_r3d18('c3d.safetensors', models=str(tmp_path))


def test_batch_norms_keep_their_statistics_in_training():
    network = load_temporal_backbone('r3d_18', 'random').train()
    before = {name: tensor.clone() for name, tensor in network.named_buffers()}
    network(random_clips().float())
    assert network.training and network.layer4.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.named_buffers())


def test_random_weights_follow_the_seed_and_unknown_names_are_told():
    clip = random_clips().float()
    for name in NAMES:
        maps = [load_temporal_backbone(name, 'random', seed=seed, width=0.1)(clip)
                for seed in (4, 4, 5)]
        assert torch.equal(maps[0], maps[1]) and not torch.allclose(maps[0], maps[2])
    with pytest.raises(SettingError, match="'i3d'; known: c3d, r3d_18"):
        load_temporal_backbone('i3d')

"""Weights files: where they are searched, what is checked, and what every failure says."""
import hashlib
import json

import numpy as np
import pytest
import safetensors.torch
import scipy.io
import torch
import torchvision

from tracking_nodes.errors import WeightsError
from tracking_nodes.nn import loaded, weights
from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.matconvnet import read_matconvnet

RESNET18 = 'resnet18_layer3_imagenet_folded.safetensors'


@pytest.fixture(autouse=True)
def no_models_directory(monkeypatch):
    monkeypatch.delenv('TRACKING_MODELS', raising=False)


@pytest.fixture
def vggm_file(tmp_path):
    """Return a small function that writes VGG-M weights that give a known conv1."""
    def write(name, value, metadata=None):
        tensors = {'conv1.weight': torch.full((96, 3, 7, 7), value),
                   'conv1.bias': torch.zeros(96),
                   'conv2.weight': torch.zeros(256, 96, 5, 5), 'conv2.bias': torch.zeros(256),
                   'conv3.weight': torch.zeros(512, 256, 3, 3), 'conv3.bias': torch.zeros(512)}
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        safetensors.torch.save_file(tensors, path, metadata)
        return path
    return write


def first_value(backbone):
    return backbone.stages['conv1'].conv.weight[0, 0, 0, 0].item()


def test_the_parameter_comes_before_the_environment(vggm_file, tmp_path, monkeypatch):
    vggm_file('parameter/own.safetensors', 1.0)
    vggm_file('environment/own.safetensors', 2.0)
    monkeypatch.setenv('TRACKING_MODELS', str(tmp_path / 'environment'))
    assert first_value(load_backbone('vggm', 'own.safetensors')) == 2.0
    assert first_value(load_backbone('vggm', 'own.safetensors',
                                     models=str(tmp_path / 'parameter'))) == 1.0


def test_a_models_directory_that_does_not_exist_is_named(tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match=r'parameter models = .*nowhere'):
        load_backbone('vggm', models=str(tmp_path / 'nowhere'))
    monkeypatch.setenv('TRACKING_MODELS', str(tmp_path / 'lost'))
    with pytest.raises(WeightsError, match=r'TRACKING_MODELS = .*lost'):
        load_backbone('vggm')


def test_the_package_finds_its_own_models():
    folder = weights.package_models()
    assert weights.directories() == [folder]
    for entry in weights.read_manifest():
        assert len(entry.sha256) == 64 and entry.source and entry.licence
        if (folder / entry.file).is_file():
            assert weights.sha256(folder / entry.file) == entry.sha256


def test_a_missing_file_says_where_it_was_searched_and_where_it_comes_from(tmp_path):
    with pytest.raises(WeightsError) as caught:
        load_backbone('resnet18', RESNET18, models=str(tmp_path))
    assert all(part in str(caught.value) for part in (RESNET18, str(tmp_path), 'torchvision'))


def test_a_damaged_file_tells_both_hashes_and_the_source(tmp_path):
    content = b'not the weights'
    (tmp_path / RESNET18).write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        load_backbone('resnet18', models=str(tmp_path))
    expected = next(entry for entry in weights.read_manifest() if entry.file == RESNET18)
    for part in (str(tmp_path / RESNET18), hashlib.sha256(content).hexdigest(), expected.sha256,
                 expected.source):
        assert part in str(caught.value)


@pytest.mark.parametrize('name', ('cut.safetensors', 'cut.pth', 'cut.mat', 'notes.txt'))
def test_files_that_are_no_weights_are_errors_that_name_them(name, tmp_path):
    (tmp_path / name).write_bytes(b'\x10\0\0\0\0\0\0\0{"half":')
    with pytest.raises(WeightsError, match=name):
        load_backbone('vggm', name, models=str(tmp_path))


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Harmful:

        def __reduce__(self):
            return (tmp_path.joinpath('ran').write_text, ('yes',))

    torch.save({'conv1.weight': Harmful()}, tmp_path / 'harmful.pth')
    with pytest.raises(WeightsError, match='harmful.pth'):
        load_backbone('vggm', str(tmp_path / 'harmful.pth'))
    assert not (tmp_path / 'ran').exists()


def test_weights_of_another_network_or_shape_are_refused(vggm_file, tmp_path):
    with pytest.raises(WeightsError, match='layer1'):
        load_backbone('resnet18', str(vggm_file('own.safetensors', 1.0)))
    state = safetensors.torch.load_file(vggm_file('own.safetensors', 1.0))
    state['conv3.bias'] = torch.zeros(7)
    safetensors.torch.save_file(state, tmp_path / 'short.safetensors')
    with pytest.raises(WeightsError, match=r'conv3.bias is \(7,\), expected \(512,\)'):
        load_backbone('vggm', str(tmp_path / 'short.safetensors'))


def test_preprocessing_comes_from_the_metadata_of_an_unlisted_file(vggm_file):
    stated = {'order': 'bgr', 'scale': 1, 'mean': [10, 20, 30], 'std': [1, 2, 4]}
    backbone = load_backbone('vggm', str(vggm_file(
        'own.safetensors', 1.0, {'preprocessing': json.dumps(stated)})))
    image = torch.tensor([15.0, 28.0, 50.0])[None, :, None, None].expand(1, 3, 107, 107)
    first, = backbone(image, ['conv1'])
    # Every weight is 1: the sum over 49 pixels of (15-10)/1, (28-20)/2 and (50-30)/4.
    torch.testing.assert_close(first, torch.full_like(first, 49 * (5 + 4 + 5)))


def test_torchvision_weights_load_from_its_cache_with_the_enums_preprocessing(
        tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    enum = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    cached = tmp_path / 'hub' / 'checkpoints' / enum.url.rsplit('/', 1)[-1]
    cached.parent.mkdir(parents=True)
    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None).eval()
    torch.save(network.state_dict(), cached)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    normalised = torchvision.transforms.functional.normalize(
        image, enum.transforms().mean, enum.transforms().std)
    with torch.inference_mode():
        expected = torch.relu(network.bn1(network.conv1(normalised)))
        found, = load_backbone('resnet18')(image.flip(1) * 255, ['conv1'])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_torchvision_file_in_a_models_directory_is_verified_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'empty'))
    file = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.url.rsplit('/', 1)[-1]
    (tmp_path / file).write_bytes(b'something else')
    with pytest.raises(WeightsError, match='sha256') as caught:
        load_backbone('alexnet', models=str(tmp_path))
    assert file in str(caught.value) and 'https://' in str(caught.value)


def test_a_failed_download_says_what_to_do(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError('no route to host')

    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', fail)
    with pytest.raises(WeightsError, match='no route to host.*by hand'):
        load_backbone('vgg16', models=str(tmp_path))


def write_matconvnet(path, seed=0, **extra):
    """Write VGG-M as MatConvNet does: a cell array of structs, kernels (h, w, in, out)."""
    random = np.random.default_rng(seed)
    shapes = [('conv1', (7, 7, 3, 96)), ('conv2', (5, 5, 96, 256)), ('conv3', (3, 3, 256, 512)),
              ('fc8', (1, 1, 8, 10))]
    layers, kernels = [], {}
    for name, shape in shapes:
        kernel = (random.standard_normal(shape) * 0.02).astype(np.float32)
        bias = random.standard_normal((shape[3], 1)).astype(np.float32)
        cell = np.empty((1, 2), dtype=object)
        cell[0, 0], cell[0, 1] = kernel, bias
        layers += [{'type': 'conv', 'name': name, 'weights': cell, 'stride': 1, 'pad': 0},
                   {'type': 'relu', 'name': f'relu_{name}'},
                   {'type': 'lrn', 'name': f'norm_{name}', 'param': [5, 2, 1e-4, 0.75]}]
        kernels[name] = (kernel, bias)
    array = np.empty((1, len(layers)), dtype=object)
    array[0, :] = layers
    scipy.io.savemat(path, {'layers': array, **extra})
    return kernels


def test_matconvnet_convolutions_correlate_as_matlab_does(tmp_path):
    average = np.zeros((224, 224, 3), dtype=np.float32) + [120, 115, 100]
    kernels = write_matconvnet(tmp_path / 'imagenet-vgg-m.mat',
                               meta={'normalization': {'averageImage': average}})
    backbone = load_backbone('vggm', 'imagenet-vgg-m.mat', models=str(tmp_path))
    rgb = np.random.default_rng(1).integers(0, 256, (107, 107, 3)).astype(np.float32)
    bgr = torch.from_numpy(rgb[..., ::-1].copy()).permute(2, 0, 1)[None]
    found, = backbone(bgr, ['conv1'])
    kernel, bias = kernels['conv1']
    window = (rgb - [120, 115, 100])[2 * 9:2 * 9 + 7, 2 * 5:2 * 5 + 7]
    expected = np.maximum(np.einsum('yxc,yxco->o', window, kernel) + bias[:, 0], 0)
    np.testing.assert_allclose(found[0, :, 9, 5], expected, rtol=1e-3, atol=1e-3)


def test_matconvnet_without_an_average_image_takes_mdnets_128(tmp_path):
    write_matconvnet(tmp_path / 'own.mat')
    tensors, mean = read_matconvnet(tmp_path / 'own.mat')
    assert mean == (128.0, 128.0, 128.0)
    assert tensors['fc8.weight'].shape == (10, 8, 1, 1)


def test_another_matlab_file_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / 'other.mat', {'x': np.eye(3)})
    with pytest.raises(WeightsError, match='layers'):
        read_matconvnet(tmp_path / 'other.mat')


def test_a_record_names_every_file_read_with_its_hash(vggm_file):
    first, second = vggm_file('first.safetensors', 1.0), vggm_file('second.safetensors', 2.0)
    load_backbone('vggm', str(first))
    with loaded.collected() as files:
        assert files == {}
        load_backbone('vggm', 'random')
        load_backbone('vggm', str(second))
    load_backbone('vggm', str(first))
    assert files == {second.name: hashlib.sha256(second.read_bytes()).hexdigest()}

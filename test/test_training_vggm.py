"""Training of VGG-M: squares, alignment with the teacher, the loss, resuming, the shipped file."""
import json

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch

from tracking_nodes.errors import SequenceError
from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.weights import package_models
from tracking_nodes.training import distillation, images, vggm

SHIPPED = 'vggm_conv123.safetensors'


def random_backbone(name='vggm'):
    return load_backbone(name, 'random', seed=1)


def scene(random, height, width):
    """Return smooth random colours with a few rectangles."""
    image = cv2.resize(random.integers(0, 256, (6, 8, 3), dtype=np.uint8), (width, height))
    for _ in range(8):
        x, y = random.integers(0, width), random.integers(0, height)
        cv2.rectangle(image, (int(x), int(y)), (int(x) + 40, int(y) + 30),
                      tuple(int(value) for value in random.integers(0, 256, 3)), -1)
    return image


@pytest.fixture
def data(tmp_path):
    """Return a small data folder: stills, photographs with boxes, clips of both kinds."""
    random = np.random.default_rng(0)
    for folder in ('stills', 'masked/images', 'video'):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(9):
        cv2.imwrite(str(tmp_path / 'stills' / f'{number}.jpg'), scene(random, 256, 320))
    rows = ['image,x,y,w,h,class']
    for number in range(3):
        cv2.imwrite(str(tmp_path / 'masked' / 'images' / f'{number}.jpg'),
                    scene(random, 200, 240))
        rows += [f'{number}.jpg,50,40,60,50,thing', f'{number}.jpg,50,40,3,3,too small']
    (tmp_path / 'masked' / 'boxes.csv').write_text('\n'.join(rows))
    for name in ('a', 'b'):
        video = cv2.VideoWriter(str(tmp_path / 'video' / f'{name}.mp4'),
                                cv2.VideoWriter_fourcc(*'mp4v'), 25, (320, 240))
        for _ in range(13):
            video.write(scene(random, 240, 320))
        video.release()
    # Frames 0, 6 and 12 are taken; the target is absent in frame 6.
    boxes = np.tile([100.0, 80, 60, 40], (13, 1))
    boxes[6] = np.nan
    np.savetxt(tmp_path / 'video' / 'a.txt', boxes, delimiter=',')
    np.savetxt(tmp_path / 'video' / 'b.mot.txt', [[1, 7, 10, 20, 50, 60], [13, 7, 9, 9, 40, 40]],
               delimiter=',')
    return tmp_path


def test_squares_come_from_every_part_and_clips_are_not_split(data):
    seen, held = images.training_squares(data, seed=0)
    # Held out: stills 0 and 8 (two squares each), photograph 0, clip a (frames 0 and 12).
    assert held.shape == (2 * 2 + 1 + 2, 256, 256, 3)
    assert seen.shape == (7 * 2 + 2 + 2, 256, 256, 3)
    assert seen.dtype == np.uint8
    again, _ = images.training_squares(data, seed=0)
    other, _ = images.training_squares(data, seed=1)
    assert np.array_equal(seen, again) and not np.array_equal(seen, other)


def test_a_target_fills_the_middle_of_its_square(tmp_path):
    (tmp_path / 'masked' / 'images').mkdir(parents=True)
    rows = ['image,x,y,w,h,class']
    for name in 'ab':
        image = np.zeros((300, 400, 3), np.uint8)
        image[120:160, 180:220] = 255
        cv2.imwrite(str(tmp_path / 'masked' / 'images' / f'{name}.png'), image)
        rows.append(f'{name}.png,180,120,40,40,square')
    (tmp_path / 'masked' / 'boxes.csv').write_text('\n'.join(rows))
    seen, _ = images.training_squares(tmp_path)
    bright = np.argwhere(seen[0].mean(axis=2) > 127)
    assert bright.min(axis=0) == pytest.approx([75, 75], abs=2)
    assert bright.max(axis=0) == pytest.approx([181, 181], abs=2)


def test_folders_without_images_and_broken_files_are_named(data, tmp_path_factory):
    with pytest.raises(SequenceError, match='no training images'):
        images.training_squares(tmp_path_factory.mktemp('empty'))
    (data / 'video' / 'a.txt').unlink()
    with pytest.raises(SequenceError, match='a.mot.txt'):
        images.training_squares(data)
    (data / 'stills' / '3.jpg').write_bytes(b'no image')
    with pytest.raises(SequenceError, match='3.jpg'):
        images.training_squares(data)


def test_cells_of_student_and_teacher_lie_on_the_same_pixels():
    student, teacher = random_backbone(), random_backbone('resnet18')
    squares = np.zeros((1, 256, 256, 3), np.uint8)
    targets = distillation.teacher_maps(teacher, squares)
    maps, = student(distillation.student_input(squares), ['conv3'])
    assert maps.permute(0, 2, 3, 1).shape == targets.shape
    first = distillation.CUT + student.offset['conv3']
    assert first == teacher.offset['layer3'] + distillation.FIRST_CELL * teacher.stride['layer3']
    assert student.stride['conv3'] == teacher.stride['layer3'] == 2 * teacher.stride['layer2']


def test_targets_are_the_teachers_maps_in_the_documented_order():
    teacher = random_backbone('resnet18')
    squares = np.random.default_rng(2).integers(0, 256, (1, 128, 128, 3), dtype=np.uint8)
    targets = distillation.teacher_maps(teacher, squares)[0].float()
    layer2, layer3 = teacher(distillation.as_images(squares), ['layer2', 'layer3'])
    cell = (1, 2)
    row, column = (distillation.FIRST_CELL + index for index in cell)
    expected = torch.cat([layer2[0, :, 2 * row, 2 * column],
                          layer2[0, :, 2 * row + 1, 2 * column + 1], layer3[0, :, row, column]])
    error = (targets[cell] - expected).norm() / expected.norm()
    assert error < 0.02  # bfloat16


def test_the_loss_pulls_a_silent_channel_up_but_leaves_a_rightly_silent_one():
    raw = torch.tensor([-2.0, -2.0, 3.0, 3.0], requires_grad=True)
    loss = distillation.imitation_loss(raw, torch.tensor([1.0, 0.0, 1.0, 0.0]))
    assert loss.item() == pytest.approx((9 + 0 + 4 + 9) / 4)
    loss.backward()
    assert raw.grad.tolist() == pytest.approx([-1.5, 0, 1, 1.5])


def test_explained_variance_of_a_perfect_and_of_a_blind_student():
    target = torch.rand(400, 2, generator=torch.Generator().manual_seed(0))
    target = target / target.std(dim=0)
    blind = target.mean(dim=0).expand_as(target)
    assert distillation.explained(target, target).tolist() == [1, 1]
    assert distillation.explained(blind, target).tolist() == pytest.approx([0, 0], abs=0.01)


def test_disturbing_keeps_range_and_input_and_follows_the_seed():
    clean = torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255
    kept = clean.clone()
    first, same, other = (distillation.disturb(clean, torch.Generator().manual_seed(seed))
                          for seed in (1, 1, 2))
    assert torch.equal(clean, kept)
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert first.shape == clean.shape and 0 <= first.min() and first.max() <= 255
    assert ((first - clean).abs().mean(dim=(1, 2, 3)) > 1).all()


def test_training_learns_resumes_to_the_same_weights_and_writes_usable_files(
        data, teacher_file, capsys, monkeypatch):
    monkeypatch.setattr(images, 'SIDE', 128)
    straight, parted = data / 'straight.safetensors', data / 'parted' / 'w.safetensors'
    common = ['--data', str(data), '--epochs', '2']
    vggm.main([*common, '--out', str(straight)])
    vggm.main([*common, '--out', str(parted), '--minutes', '0'])
    assert '1 of 2 epochs left' in capsys.readouterr().out
    vggm.main([*common, '--out', str(parted), '--resume'])
    first, second = (safetensors.torch.load_file(file) for file in (straight, parted))
    assert all(torch.equal(first[name], second[name]) for name in first)
    log = [json.loads(line) for line in straight.with_suffix('.jsonl').read_text().splitlines()]
    assert [line['epoch'] for line in log] == [1, 2]
    assert log[1]['held_loss'] < log[0]['held_loss']
    maps, = load_backbone('vggm', str(straight))(torch.rand(1, 3, 107, 107) * 255, ['conv3'])
    assert maps.shape == (1, 512, 3, 3) and torch.isfinite(maps).all()


def test_the_student_is_the_backbone_but_for_an_lrn_that_is_constant_there():
    backbone = load_backbone('vggm')
    picture = distillation.as_images(scene(np.random.default_rng(3), 139, 139)[None])
    expected, = backbone(picture, ['conv3'])
    student = distillation.Student(backbone, torch.ones(512))
    found = torch.relu(student(picture)).permute(0, 3, 1, 2)
    assert ((found - expected).norm() / expected.norm()).item() < 0.02


def test_the_shipped_weights_are_small_half_precision_and_alive():
    file = package_models() / SHIPPED
    assert file.stat().st_size < 4_000_000
    with safetensors.safe_open(file, 'pt') as stream:
        assert {stream.get_tensor(name).dtype for name in stream.keys()} == {torch.float16}
    pictures = np.stack([scene(np.random.default_rng(seed), 203, 203) for seed in range(8)])
    maps, = load_backbone('vggm')(distillation.as_images(pictures), ['conv3'])
    active = (maps > 0).float().mean(dim=(0, 2, 3))
    assert (active > 0).float().mean() > 0.8


def test_shipped_features_imitate_resnet18_on_videos_never_seen(tracking_data):
    teacher = load_backbone('resnet18', models=str(tracking_data / 'weights'))
    names = ('Car1', 'Couple', 'David', 'Dog', 'DragonBaby', 'Girl', 'Human7', 'Surfer')
    files = [sorted((tracking_data / 'dev' / 'otb' / name / 'img').iterdir())[10]
             for name in names]
    frames = np.stack([cv2.resize(cv2.imread(str(file)), (256, 256)) for file in files])
    target = distillation.teacher_maps(teacher, frames).float()
    maps, = load_backbone('vggm')(distillation.student_input(frames), ['conv3'])
    found = maps.permute(0, 2, 3, 1)
    spread = target.flatten(0, 2).std(dim=0).clamp_min(1e-3)
    explained = distillation.explained(found / spread, target / spread)
    assert explained[:256].mean() > 0.2 and explained[256:].mean() > 0.15

"""Experiments of the got10k toolkit with the package's trackers, beside the package's own."""
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from small_trackers import moving, REAL

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.ope import run_ope
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.evaluation.results import Result
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.static import StaticTracker

if find_spec('got10k') is None:
    pytest.skip('got10k is not installed', allow_module_level=True)

TRACKERS = {'static': StaticTracker, 'kcf': PEERS['kcf']}
FRAMES = 30


def write_clip(folder, seed, truth_name, image_pattern, origin, frames=FRAMES):
    """Write images and ground truth of a clip, in the layout and origin of a benchmark."""
    clip = SyntheticSequence(frames, seed)
    for index, image in enumerate(clip.images()):
        path = folder / image_pattern.format(index + 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    boxes = np.round(clip.boxes) + [origin, origin, 0, 0]
    (folder / truth_name).write_text(
        ''.join(','.join(f'{value:.0f}' for value in box) + '\n' for box in boxes))


def write_got10k(folder, names, frames):
    """Write GOT-10k's validation set with clips of these names."""
    for seed, name in enumerate(names):
        part = folder / 'val' / name
        write_clip(part, seed, 'groundtruth.txt', '{:08d}.jpg', 0, frames)
        for label, value in (('cover', 8), ('absence', 0), ('cut_by_image', 0)):
            (part / f'{label}.label').write_text(f'{value}\n' * frames)
        (part / 'meta_info.ini').write_text('[METAINFO]\nresolution: (320, 240)\n')
    (folder / 'val' / 'list.txt').write_text('\n'.join(names) + '\n')


def package_scores(folder, protocol):
    """Return {tracker: Scores} of the package's own run over what lies in a folder."""
    protocol, stored = protocols.get(protocol), {}
    for name, cls in TRACKERS.items():
        stored[name] = {clip.name: {trial.name: Result.of(protocol.run(cls(), clip, trial), clip,
                                                          {})
                                    for trial in protocol.trials(clip)[:1]}
                        for clip in open_sequences(folder)}
    return protocol.score(stored)


def test_otb_experiment_scores_as_the_package_does(tmp_path, monkeypatch):
    from got10k.datasets import OTB
    from got10k.experiments import ExperimentOTB

    from tracking_nodes.clients.got10k_tracker import Got10kTracker

    data = tmp_path / 'otb'
    for seed, name in enumerate(['Left', 'Right']):
        write_clip(data / name, seed, 'groundtruth_rect.txt', 'img/{:04d}.jpg', origin=1)
    monkeypatch.setitem(OTB._OTB__version_dict, 'tiny', ['Left', 'Right'])
    experiment = ExperimentOTB(str(data), 'tiny', str(tmp_path / 'results'),
                               str(tmp_path / 'reports'))
    for name in TRACKERS:
        experiment.run(Got10kTracker(name, label=f'our_{name}', origin=1))
    found = experiment.report([f'our_{name}' for name in TRACKERS])
    expected = package_scores(data, 'ope')
    for name in TRACKERS:
        ours, theirs = expected[name].overall, found[f'our_{name}']['overall']
        # got10k writes boxes with three digits, which whole pixels do not need.
        assert theirs['success_score'] == pytest.approx(ours['auc'], abs=1e-6)
        assert theirs['precision_score'] == pytest.approx(ours['dp20'], abs=1e-6)
        assert theirs['speed_fps'] > 0
    assert found['our_kcf']['overall']['success_score'] > (
        found['our_static']['overall']['success_score'])


def test_got10k_experiment_scores_as_the_package_does(tmp_path):
    from got10k.experiments import ExperimentGOT10k

    from tracking_nodes.clients.got10k_tracker import Got10kTracker

    write_got10k(tmp_path, ['GOT-10k_Val_000001', 'GOT-10k_Val_000002'], FRAMES)
    experiment = ExperimentGOT10k(str(tmp_path), 'val', str(tmp_path / 'results'),
                                  str(tmp_path / 'reports'))
    for name in TRACKERS:
        experiment.run(Got10kTracker(name))
    found = experiment.report(list(TRACKERS))
    expected = package_scores(tmp_path / 'val', 'ope')
    for name in TRACKERS:
        theirs, ours = found[name]['overall'], expected[name].overall
        # Both clips have as many frames, so the mean over frames is that over sequences.
        assert theirs['ao'] == pytest.approx(ours['ao'], abs=1e-6)
        assert theirs['sr'] == pytest.approx(ours['sr50'], abs=1e-6)


@pytest.mark.parametrize('name', REAL)
def test_every_tracker_of_the_package_answers_got10k_as_its_own_runner(name, tmp_path):
    from got10k.experiments import ExperimentGOT10k

    from tracking_nodes.clients.got10k_tracker import Got10kTracker

    write_got10k(tmp_path, ['GOT-10k_Val_000001'], 8)
    experiment = ExperimentGOT10k(str(tmp_path), 'val', str(tmp_path / 'results'),
                                  str(tmp_path / 'reports'))
    values, runtime = moving(name), Runtime(device='cpu')
    experiment.run(Got10kTracker(name, values, runtime))
    [file] = (tmp_path / 'results').rglob('GOT-10k_Val_000001_001.txt')
    found = np.loadtxt(file, delimiter=',')
    [clip] = open_sequences(tmp_path / 'val')
    expected = run_ope(registry.create(name, values, runtime), clip).boxes
    # got10k writes three digits.
    np.testing.assert_allclose(found, expected, atol=6e-4)
    # Otherwise any tracker would do.
    assert len(np.unique(expected, axis=0)) > 4


def test_settings_and_unknown_names_are_checked():
    from tracking_nodes.clients.got10k_tracker import Got10kTracker

    assert Got10kTracker('static').name == 'static'
    with pytest.raises(SettingError, match="no parameter 'speed'"):
        Got10kTracker('static', {'speed': 3})
    with pytest.raises(SettingError, match="no tracker 'unknown'"):
        Got10kTracker('unknown')

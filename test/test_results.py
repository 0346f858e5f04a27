"""What goes into a results folder comes out of it, for every protocol."""
import json

import numpy as np
import pytest

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.protocols.base import Trial
from tracking_nodes.evaluation.results import Result
from tracking_nodes.evaluation.run import Run

TRIAL = Trial('002', 1, 5, (1.5, 2.0, 30.0, 20.0), 1)


def a_result(events=None, ages=None, scores=np.arange(6) / 8, **details):
    """Return a result of six frames whose second has no ground truth."""
    truth = np.arange(24.0).reshape(6, 4) + 1
    truth[1] = np.nan
    run = Run(truth + 0.25, scores, np.arange(6) > 2, np.full(6, 0.125), (64, 48),
              events, ages)
    return Result(run, truth, {'sequence': 'road.1', 'made_by': 'test'}, **details)


def assert_same(one, other):
    """Compare two results, the ground truth's gaps included."""
    for part in ('boxes', 'scores', 'present', 'seconds', 'events', 'ages'):
        np.testing.assert_array_equal(getattr(one.run, part), getattr(other.run, part))
    np.testing.assert_array_equal(one.truth, other.truth)
    np.testing.assert_array_equal(one.regions, other.regions)
    assert (one.trial, one.run.image_size) == (other.trial, other.run.image_size)
    assert set(one.tags) == set(other.tags)
    for tag, frames in one.tags.items():
        np.testing.assert_array_equal(frames, other.tags[tag])
    assert set(one.values) == set(other.values)
    for name, numbers in one.values.items():
        np.testing.assert_array_equal(numbers, other.values[name])
    np.testing.assert_array_equal(one.stamps, other.stamps)


@pytest.mark.parametrize('result', [
    a_result(),
    a_result(np.array([1, 3, 2, 0, 1, 3], dtype=np.int8), trial=TRIAL,
             polygons=np.arange(48.0).reshape(6, 8), tags={'occlusion': np.arange(6) > 3},
             stamps=np.arange(6) * 10 ** 9,
             values={'practical': np.array([0.1, np.nan, 0.2, 0, 0.3, 1 / 3])}),
    a_result(ages=np.array([np.nan, 0, 0.5, 0.25, 0, 0])),
    a_result(scores=np.full(6, np.nan)),
], ids=['plain', 'reset', 'latency', 'without score'])
def test_a_result_is_read_as_it_was_written(tmp_path, result):
    results.write_result(tmp_path, 'one', 'road.1.002', result)
    assert_same(result, results.read_result(tmp_path, 'one', 'road.1.002'))
    assert results.stored(tmp_path) == {'one': ['road.1.002']}
    assert not list(tmp_path.rglob('.*'))


def test_a_result_without_score_has_no_file_of_it_nor_one_of_an_earlier_result(tmp_path):
    results.write_result(tmp_path, 'one', 'road', a_result())
    scores = (tmp_path / 'one' / 'road_score.txt')
    assert scores.read_text().splitlines() == [f'{k / 8:.6f}' for k in range(6)]
    # The box given in the first frame has a score whatever the tracker has.
    none = np.array([1, *[np.nan] * 5])
    results.write_result(tmp_path, 'one', 'road', a_result(scores=none))
    assert not scores.exists()
    read = results.read_result(tmp_path, 'one', 'road').run
    assert not read.scored and np.isnan(read.scores).all()
    np.testing.assert_array_equal(read.confidence, [0, 0, 0, 1, 1, 1])


def test_a_score_that_got_lost_is_not_taken_for_a_tracker_without(tmp_path):
    results.write_result(tmp_path, 'one', 'road', a_result())
    (tmp_path / 'one' / 'road_score.txt').unlink()
    with pytest.raises(TrackingError, match='road_score.txt.*delete road_run.json'):
        results.read_result(tmp_path, 'one', 'road')


def test_protocols_lie_side_by_side_and_trials_are_grouped_by_sequence(tmp_path):
    vot = protocols.get('vot')
    results.write_result(tmp_path, 'one', results.file_name('road.1', Trial()), a_result())
    for trial in (Trial('001'), TRIAL):
        results.write_result(tmp_path / vot.folder, 'one', results.file_name('road.1', trial),
                             a_result(np.ones(6, dtype=np.int8), trial=trial))
    assert results.stored(tmp_path) == {'one': ['road.1']}
    stored = results.StoredResults(tmp_path / vot.folder)
    assert list(stored) == ['one'] and len(stored) == 1
    assert {name: list(trials) for name, trials in stored['one'].items()} == {
        'road.1': ['001', '002']}
    assert stored['one']['road.1']['002'].trial == TRIAL
    results.forget(tmp_path / vot.folder, 'one')
    assert not results.StoredResults(tmp_path / vot.folder)
    assert results.stored(tmp_path) == {'one': ['road.1']}


def test_scores_are_written_with_what_their_metrics_mean(tmp_path):
    protocol = protocols.get('vot')
    events = np.array([1, 3, 3, 3, 3, 3], dtype=np.int8)
    results.write_result(tmp_path / protocol.folder, 'one', 'road.1.001',
                         a_result(events, trial=Trial('001')))
    scores = protocol.score(results.StoredResults(tmp_path / protocol.folder))
    results.write_scores(tmp_path, protocol, scores, 'visible')
    content = json.loads((tmp_path / protocol.folder / 'metrics.json').read_text())
    assert content['protocol'] == 'vot' and content['options']['repetitions'] == 15
    assert [row['key'] for row in content['metrics']] == [row.key for row in protocol.metrics]
    one = content['trackers']['one']
    assert one['overall']['eao_2018'] is None
    assert one['sequences']['road.1']['failures'] == 0
    assert len(one['curves']['eao']['x']) == len(one['curves']['eao']['y'])


def test_files_of_another_length_are_refused_with_the_remedy(tmp_path):
    results.write_result(tmp_path, 'one', 'road', a_result(np.ones(6, dtype=np.int8)))
    (tmp_path / 'one' / 'road_event.txt').write_text('1\n3\n')
    with pytest.raises(TrackingError, match='6 frames.*delete road_run.json'):
        results.read_result(tmp_path, 'one', 'road')


def test_what_killed_writers_left_is_removed(tmp_path):
    results.write_result(tmp_path / 'vot', 'one', 'road', a_result())
    left = tmp_path / 'vot' / 'one' / '.road.txt.4711.partial'
    left.write_text('1,2')
    before = sorted(path.name for path in (tmp_path / 'vot' / 'one').iterdir())
    results.remove_partial_files(tmp_path)
    after = sorted(path.name for path in (tmp_path / 'vot' / 'one').iterdir())
    assert after == [name for name in before if name != left.name]


def test_a_file_that_is_being_written_is_not_taken_for_one_that_was_left(tmp_path):
    with results.in_one_step(tmp_path / 'video' / 'clip.mp4', '.mp4') as partial:
        partial.write_text('half')
        assert partial.suffix == '.mp4' and not (tmp_path / 'video' / 'clip.mp4').exists()
        results.remove_partial_files(tmp_path)
        partial.write_text('whole')
    assert (tmp_path / 'video' / 'clip.mp4').read_text() == 'whole'
    assert [path.name for path in (tmp_path / 'video').iterdir()] == ['clip.mp4']


def test_a_writer_that_fails_leaves_what_was_there(tmp_path):
    results.write_text(tmp_path / 'page', 'old')
    with pytest.raises(KeyboardInterrupt), results.in_one_step(tmp_path / 'page') as partial:
        partial.write_text('new')
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [('page', 'old')]

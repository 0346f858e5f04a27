"""That the metrics equal those of the official toolkits, and published scores, on equal boxes."""
import numpy as np
import plain_passes
import plain_reset
import published_scores
import pytest

TOLERANCE = 1e-6


def assert_equal(comparisons):
    """Compare (what, ours, theirs) rows, and that there are some."""
    rows = list(comparisons)
    assert rows
    for what, ours, theirs in rows:
        ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
        assert ours.shape == theirs.shape, what
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE, err_msg=what)


@pytest.fixture
def got10k_side():
    """Return the comparisons with got10k, or skip where it is not installed."""
    pytest.importorskip('got10k')
    import toolkit_got10k
    return toolkit_got10k


@pytest.fixture
def vot_side():
    """Return the comparisons with vot-toolkit, or skip where it is not installed."""
    pytest.importorskip('vot')
    import toolkit_vot
    return toolkit_vot


@pytest.mark.parametrize('seed', range(3))
def test_one_pass_scores_equal_those_of_got10k(got10k_side, tmp_path, seed):
    truths = got10k_side.moving_targets(seed)
    runs = got10k_side.runs_near(truths, seed)
    assert_equal(got10k_side.compare_otb(truths, runs, tmp_path))
    assert_equal(got10k_side.compare_uav123(truths, runs, tmp_path))


@pytest.mark.parametrize('seed', range(3))
def test_got10k_scores_equal_those_of_got10k(got10k_side, tmp_path, seed):
    assert_equal(got10k_side.compare_got10k(seed, tmp_path))


def test_scores_of_real_boxes_equal_those_of_got10k(got10k_side, tmp_path, tracking_data):
    folder = tracking_data / 'reference' / 'otb'
    truths, runs = got10k_side.published_runs(
        published_scores.otb_sequences(folder, 'STRUCK'))
    assert len(truths) == 100
    assert_equal(got10k_side.compare_otb(truths, runs, tmp_path))


@pytest.mark.parametrize('seed', range(3))
def test_region_overlaps_equal_those_of_the_vot_toolkit(vot_side, seed):
    assert_equal(vot_side.compare_overlaps(seed))


@pytest.mark.parametrize('seed', range(2))
def test_reset_based_scores_equal_those_of_the_vot_toolkit(vot_side, seed):
    runs = vot_side.supervised_runs(seed)
    assert sum(np.sum(run.events == 2) for _, rows in runs.values() for run in rows) > 10
    assert_equal(vot_side.compare_supervised(runs))


def test_scores_of_turned_answers_equal_those_of_the_vot_toolkit(vot_side):
    runs = vot_side.with_turned_answers(vot_side.supervised_runs(2), 2)
    assert_equal(vot_side.compare_supervised(runs))


@pytest.mark.parametrize('seed', range(2))
def test_long_term_scores_equal_those_of_the_vot_toolkit(vot_side, seed):
    assert_equal(vot_side.compare_unsupervised(seed))


@pytest.mark.parametrize('seed', range(3))
def test_real_time_answers_equal_those_of_the_vot_toolkit(vot_side, seed):
    import toolkit_realtime
    assert_equal(toolkit_realtime.compare(seed))


@pytest.mark.parametrize('seed', range(3))
def test_scores_of_passes_equal_plain_loops(seed):
    for compare in (plain_passes.compare_one_pass, plain_passes.compare_robustness,
                    plain_passes.compare_long_term):
        assert_equal(compare(seed))


def test_reset_based_scores_and_ranks_equal_plain_loops():
    stored = plain_reset.made_up_results(0)
    rows = list(plain_reset.compare(stored))
    assert_equal(rows)
    ranks = [ours for what, ours, _ in rows if what.startswith('accuracy_rank of each')]
    assert {rank % 1 for rank in ranks} == {0, 0.5}, 'some are shared'


def test_older_overlaps_equal_those_of_a_loop_over_pixels():
    assert_equal(plain_reset.compare_overlaps(0))


def test_scores_of_real_vot_runs_equal_those_of_the_vot_toolkit(vot_side, tracking_data):
    runs = published_scores.vot2018_runs(tracking_data / 'reference' / 'vot2018', 'SiamAPN')
    names = sorted(runs)[::6]
    assert_equal(vot_side.compare_supervised({name: runs[name][:2] for name in names},
                                             {name: runs[name][2] for name in names}))


@pytest.mark.parametrize('tracker, exact, sequences', [('STRUCK', 97, 100), ('MEEM', 72, 73)])
def test_mean_overlaps_equal_the_published_ones(tracking_data, tracker, exact, sequences):
    rows = list(published_scores.otb_mean_overlaps(tracking_data / 'reference' / 'otb', tracker))
    assert len(rows) == sequences
    assert sum(abs(ours - theirs) < 1e-9 for _, ours, theirs in rows) == exact
    assert {name for name, ours, theirs in rows if abs(ours - theirs) >= 1e-9} == (
        published_scores.OTHER_GROUND_TRUTH[tracker])


@pytest.mark.parametrize('tracker', ['STRUCK', 'MEEM'])
def test_otb_scores_equal_the_published_ones(tracking_data, tracker):
    exact = 0
    for row in published_scores.otb_scores(tracking_data / 'reference' / 'otb', tracker):
        for key in ('success', 'precision'):
            # A single frame whose overlap is a threshold may fall on either side of it.
            if not row.disputed:
                np.testing.assert_allclose(row.recomputed[key], row.published[key], rtol=0,
                                           atol=1e-4)
                exact += np.allclose(row.recomputed[key], row.published[key], rtol=0, atol=1e-9)
        if row.attribute == 'ALL':
            assert row.recomputed['auc'] == pytest.approx(row.published['auc'], abs=0.01)
    assert exact >= {'STRUCK': 15, 'MEEM': 34}[tracker]


@pytest.mark.parametrize('tracker', published_scores.VOT2018_EAO)
def test_vot2018_eao_equals_the_published_one(tracking_data, tracker):
    scores = published_scores.vot2018_scores(tracking_data / 'reference' / 'vot2018', tracker)
    published = published_scores.VOT2018_EAO[tracker]
    assert round(scores.overall['eao_2018'], 3) == published

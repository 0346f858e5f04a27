"""The HTML report in a real headless browser: plots drawn, a click leads to the frame."""
import base64
import re

from browser import browser
import cv2
import numpy as np
import pytest
from result_folders import displaced, record, score, store

from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.benchmark import write_scores
from tracking_nodes.evaluation.report.writer import write_report
from tracking_nodes.evaluation.run import FAILED, Run, SKIPPED, STARTED, TRACKED
from tracking_nodes.sequences.synthetic import SyntheticSequence

FRAMES = 40
# Text as it may come from a folder's name; none of it may become markup.
HOSTILE = '<img src=x onerror="document.title=1"> & \'"'
DIP = 14


@pytest.fixture(scope='module')
def clip():
    clip = SyntheticSequence(FRAMES, 3, 'clip')
    clip.attributes = ('OCC', 'SV')
    return clip


@pytest.fixture(scope='module')
def folder(tmp_path_factory, clip):
    """Return results of two trackers on two sequences, with the frames of one in the page."""
    folder = tmp_path_factory.mktemp('results')
    other = SyntheticSequence(20, 4, HOSTILE)
    lost = displaced(displaced(clip.boxes, DIP - 2, DIP + 2, 30), DIP, DIP, 10)
    store(folder, 'dips', clip, lost)
    store(folder, HOSTILE, clip, displaced(clip.boxes, 30, FRAMES, 500), seconds=0.02)
    store(folder, 'dips', other, other.boxes)
    store(folder, HOSTILE, other, other.boxes)
    score(folder)
    return folder


@pytest.fixture(scope='module')
def page(folder, clip):
    """Return a browser that shows the report, on its first sequence with images."""
    write_report(folder, [clip])
    with browser() as driver:
        driver.get((folder / 'report.html').as_uri())
        choose(driver, 'sequence', 'clip')
        yield driver


def choose(driver, name, value):
    """Choose an option and wait for the frame it leads to."""
    driver.execute_async_script("""
        const [name, value, done] = arguments;
        const list = document.getElementById(name);
        list.value = value;
        list.dispatchEvent(new Event('change', {bubbles: true}));
        setTimeout(done, 300);""", name, value)


def boxes_drawn(driver):
    """Return {what: (x, y, w, h)} of the boxes in the frame."""
    return {box.get_attribute('data-tracker'): [float(box.get_attribute(key)) for key in
                                                ('x', 'y', 'width', 'height')]
            for box in driver.find_elements('css selector', '#frame rect.box')}


def click_plot(driver, frame):
    """Click into the plot of overlap, where the first line has its point of this frame."""
    from selenium.webdriver import ActionChains

    svg = driver.find_element('css selector', '#overlap-plot figure > svg')
    line = svg.find_element('css selector', 'path.series').get_attribute('d')
    x = float(re.findall(r'[ML]([\d.]+) ', line)[frame])
    width, height = map(float, svg.get_dom_attribute('viewBox').split()[2:])
    shown = svg.rect
    ActionChains(driver).scroll_to_element(svg).move_to_element_with_offset(
        svg, round((x / width - 0.5) * shown['width']),
        round((0.5 - 0.25) * shown['width'] * height / width)).click().perform()


def test_the_page_runs_without_an_error_and_without_a_network(page):
    assert [entry for entry in page.get_log('browser') if entry['level'] == 'SEVERE'] == []
    assert page.title.startswith('Tracking benchmark')


@pytest.mark.parametrize('place, lines', [
    ('[data-plots="ope"] figure:nth-child(1)', 2), ('[data-plots="ope"] figure:nth-child(2)', 2),
    ('[data-attributes="ope"] figure:nth-child(1)', 2),
    ('[data-attributes="ope"] figure:nth-child(2)', 2),
    ('#overlap-plot', 2)])
def test_plots_have_a_line_per_tracker_inside_of_the_frame(page, place, lines):
    figure = page.find_element('css selector', place)
    found = figure.find_elements('css selector', 'path.series')
    assert len(found) == lines
    frame = figure.find_element('css selector', 'rect.frame').rect
    for line in found:
        assert len(re.findall('[ML]', line.get_attribute('d'))) >= 20
        assert line.rect['x'] >= frame['x'] - 2 and line.rect['y'] >= frame['y'] - 2
        assert line.rect['x'] + line.rect['width'] <= frame['x'] + frame['width'] + 2
        assert line.rect['width'] > 0.9 * frame['width']
    assert len(page.find_elements('css selector', '#speed-plot circle.mark')) == 2


def test_the_reliability_plot_has_a_dot_per_bin_and_the_diagonal(page):
    figure = page.find_element('css selector', '[data-plots="ope"] figure:nth-child(4)')
    assert figure.find_element('tag name', 'figcaption').text == 'Reliability, ope'
    frame = figure.find_element('css selector', 'rect.frame').rect
    diagonal = figure.find_element('css selector', 'line.diagonal').rect
    for key in ('x', 'y', 'width', 'height'):
        assert abs(diagonal[key] - frame[key]) < 3
    # A score of 0.5 in every frame is one bin of each tracker.
    dots = figure.find_elements('css selector', 'svg > circle')
    middles = [dot.rect['x'] + dot.rect['width'] / 2 for dot in dots]
    np.testing.assert_allclose(middles, [frame['x'] + frame['width'] / 2] * 2, atol=3)


@pytest.mark.parametrize('frame', [DIP, 3, 35])
def test_a_click_in_the_plot_leads_to_that_frame_with_all_boxes(page, clip, frame):
    click_plot(page, frame)
    assert page.find_element('id', 'frame-number').text == f'frame {frame} of 0 to {FRAMES - 1}'
    assert page.find_element('id', 'frame-note').text == ''
    drawn = boxes_drawn(page)
    assert set(drawn) == {'ground truth', 'dips', HOSTILE}
    np.testing.assert_allclose(drawn['ground truth'], clip.boxes[frame], atol=0.051)
    shift = 40 if frame == DIP else 0
    np.testing.assert_allclose(drawn['dips'], clip.boxes[frame] + [shift, 0, 0, 0], atol=0.051)


def test_the_image_shown_is_that_of_the_frame(page, clip):
    click_plot(page, DIP)
    image = page.find_element('css selector', '#frame image')
    assert image.is_displayed() and image.rect['width'] > 200
    data = base64.b64decode(image.get_attribute('href').partition('base64,')[2])
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(float)
    distances = [np.abs(shown - other).mean() for other in clip.images()]
    assert np.argmin(distances) == DIP and distances[DIP] < 8


def test_the_worst_dips_are_offered_and_lead_there(page):
    click_plot(page, 3)
    worst = page.find_elements('css selector', '#dips button')[1]
    assert worst.text.startswith(f'dips: frame {DIP}, IoU ')
    worst.click()
    assert page.find_element('id', 'frame-number').text.startswith(f'frame {DIP} ')
    marks = page.find_elements('css selector', '#overlap-plot path.dip')
    assert {mark.get_attribute('data-frame') for mark in marks} == {str(DIP), '30'}


def test_values_beside_the_frame_are_those_of_the_results(page):
    click_plot(page, 35)
    rows = {row.find_element('tag name', 'th').text: [cell.text for cell in row.find_elements(
        'tag name', 'td')] for row in page.find_elements('css selector', '#frame-values tbody tr')}
    assert rows['dips'] == ['1.00', '0.50', '']
    assert rows[HOSTILE] == ['0.00', '0.50', '']


def test_unticked_trackers_leave_plots_tables_and_frame(page):
    click_plot(page, 3)
    box = page.find_element('css selector', '#trackers input[value="dips"]')
    box.click()
    assert set(boxes_drawn(page)) == {'ground truth', HOSTILE}
    assert len(page.find_elements('css selector', '#overlap-plot path.series')) == 1
    assert not any(cell.is_displayed() for cell in
                   page.find_elements('css selector', 'table [data-tracker="dips"]'))
    box.click()
    assert set(boxes_drawn(page)) == {'ground truth', 'dips', HOSTILE}


def test_nothing_ticked_is_said_instead_of_an_empty_plot(page):
    boxes = page.find_elements('css selector', '#trackers input')
    for box in boxes:
        box.click()
    assert page.find_elements('css selector', '#overlap-plot path.series') == []
    assert 'No ticked tracker has results of clip' in page.find_element('id', 'dips').text
    for box in boxes:
        box.click()
    assert len(page.find_elements('css selector', '#overlap-plot path.series')) == 2


def test_a_sequence_without_images_has_its_boxes_on_a_blank_one(page):
    choose(page, 'sequence', HOSTILE)
    try:
        assert page.find_elements('css selector', '#frame image') == []
        assert 'no images of this sequence' in page.find_element('id', 'frame-note').text
        assert set(boxes_drawn(page)) == {'ground truth', 'dips', HOSTILE}
    finally:
        choose(page, 'sequence', 'clip')


def test_names_stay_text(page):
    assert page.find_elements('css selector', 'img') == []
    assert any(row.get_attribute('data-name') == HOSTILE for row in
               page.find_elements('css selector', '.sequences tr'))


def test_a_frame_left_out_leads_to_the_nearest_and_says_so(page, folder, clip):
    write_report(folder, [clip], frames_budget=0.1)
    page.refresh()
    choose(page, 'sequence', 'clip')
    kept = sorted(page.execute_script('return viewer.embedded'))
    assert DIP in kept and 0 < len(kept) < FRAMES
    asked = next(frame for frame in range(FRAMES) if frame not in kept)
    nearest = min(kept, key=lambda frame: abs(frame - asked))
    click_plot(page, asked)
    assert page.find_element('id', 'frame-number').text.startswith(f'frame {nearest} ')
    assert page.find_element('id', 'frame-note').text == (
        f'The page holds no image of frame {asked}; {nearest} is the nearest that it holds.')


@pytest.fixture(scope='module')
def two_protocols(tmp_path_factory, clip):
    """Return a browser that shows one-pass and reset-based runs of two trackers."""
    folder = tmp_path_factory.mktemp('two')
    events = np.full(FRAMES, TRACKED, np.int8)
    events[[0, DIP + 5]], events[DIP], events[DIP + 1:DIP + 5] = STARTED, FAILED, SKIPPED
    whole = np.where(np.arange(FRAMES) == 0, STARTED, TRACKED).astype(np.int8)
    for tracker, shift, happened in (('fails', 400, events), ('holds', 6, whole)):
        boxes = displaced(clip.boxes, DIP, DIP, shift)
        store(folder, tracker, clip, boxes)
        boxes[happened == SKIPPED] = np.nan
        run = Run(boxes, np.full(FRAMES, 0.5), np.isfinite(boxes[:, 0]), np.full(FRAMES, 0.01),
                  (320, 240), happened)
        for trial in protocols.get('vot').trials(clip)[:3]:
            results.write_result(
                folder / 'vot', tracker, results.file_name('clip', trial),
                results.Result.of(run, clip, record(tracker, clip), trial))
    score(folder)
    write_scores(folder, protocols.get('vot'), 'visible')
    write_report(folder, [clip])
    with browser() as driver:
        driver.get((folder / 'report.html').as_uri())
        choose(driver, 'protocol', 'vot')
        yield driver


def test_the_protocol_that_is_chosen_is_shown_and_no_other(two_protocols):
    page, shown = two_protocols, {}
    for name in ('ope', 'vot'):
        choose(page, 'protocol', name)
        shown[name] = {part.get_attribute('data-protocol'): part.is_displayed()
                       for part in page.find_elements('css selector', '.part')}
    assert shown == {'ope': {'ope': True, 'vot': False}, 'vot': {'ope': False, 'vot': True}}
    assert [entry for entry in page.get_log('browser') if entry['level'] == 'SEVERE'] == []


def figure_titled(page, words):
    """Return the figure of the reset-based protocol whose title begins so."""
    figures = page.find_elements('css selector', '[data-plots="vot"] figure')
    return next(figure for figure in figures
                if figure.find_element('tag name', 'figcaption').text.startswith(words))


def test_eao_is_drawn_as_lines_and_accuracy_and_robustness_as_marks(two_protocols):
    page = two_protocols
    eao = figure_titled(page, 'Expected average overlap')
    assert eao.is_displayed()
    assert len(eao.find_elements('css selector', 'path.series')) == 2
    ar = figure_titled(page, 'Accuracy and robustness')
    frame = ar.find_element('css selector', 'rect.frame').rect
    marks = [mark.rect for mark in ar.find_elements('css selector', 'circle.mark')]
    assert len(marks) == 2
    for mark in marks:
        assert frame['x'] <= mark['x'] + mark['width'] / 2 <= frame['x'] + frame['width']
        assert frame['y'] <= mark['y'] + mark['height'] / 2 <= frame['y'] + frame['height']
    assert len(figure_titled(page, 'AR ranks').find_elements('css selector', 'circle.mark')) == 2


def test_a_click_on_a_dip_of_a_reset_based_run_leads_to_its_frame(two_protocols, clip):
    from selenium.webdriver import ActionChains

    page = two_protocols
    click_plot(page, 3)
    assert page.find_element('id', 'frame-number').text.startswith('frame 3 ')
    [cross] = page.find_elements('css selector', '#overlap-plot path.failure title')
    assert cross.get_attribute('textContent') == f'fails failed in frame {DIP}'
    dip = page.find_element('css selector', f'#overlap-plot path.dip[data-frame="{DIP}"]')
    ActionChains(page).scroll_to_element(dip).move_to_element(dip).click().perform()
    assert page.find_element('id', 'frame-number').text == f'frame {DIP} of 0 to {FRAMES - 1}'
    drawn = boxes_drawn(page)
    np.testing.assert_allclose(drawn['fails'], clip.boxes[DIP] + [400, 0, 0, 0], atol=0.051)
    np.testing.assert_allclose(drawn['holds'], clip.boxes[DIP] + [6, 0, 0, 0], atol=0.051)
    assert page.find_element('css selector', '#frame image').is_displayed()

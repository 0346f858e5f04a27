"""The guides: what they name exists, and the tracker that one of them adds really tracks."""
import os
from pathlib import Path
import re
import subprocess
import sys

from node_harness import start_node
import numpy as np
import pytest

from tracking_nodes.cli import _parser
from tracking_nodes.errors import SettingError
from tracking_nodes.geometry import iou
from tracking_nodes.nodes.bag_evaluator import EvaluatorSettings
from tracking_nodes.nodes.bag_player import PlayerSettings
from tracking_nodes.nodes.detection_recorder import RecorderSettings
from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.nodes.reference import PUBLISHED, SERVICES, SUBSCRIBED
from tracking_nodes.parameters import specs
from tracking_nodes.sequences.folder_writer import write_folder
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry

ROOT = Path(__file__).resolve().parent.parent
GUIDES = sorted((ROOT / 'docs' / 'guides').glob('*.md'))
ADDING = ROOT / 'docs' / 'guides' / 'adding_a_tracker.md'
PROGRAMS = ('tracker_node', 'bag_evaluator', 'bag_player', 'detection_recorder', 'dataset_to_bag')

PARAMETERS = (NodeSettings, EvaluatorSettings, PlayerSettings, RecorderSettings)
# In the code of a guide, and neither programs nor parameters.
OTHER_WORDS = {
    'camera_info', 'ground_truth', 'rqt_image_view', 'rqt_robot_monitor', 'set_learning',
    'tracking_nodes', '_start', '_locate', '_learn', '_relocate', '_reset', '_probe'}


def commands(text):
    """Return the command lines of a page: indented lines, joined where a backslash says so."""
    joined = re.sub(r'\\\n\s*', '', text)
    return [line.strip() for line in joined.splitlines() if line.startswith('    ')]


def subcommand_help(name):
    """Return the help of a subcommand, which names its options."""
    subcommands = next(action for action in _parser()._actions if action.choices).choices
    assert name in subcommands
    return subcommands[name].format_help()


@pytest.fixture(scope='module', params=GUIDES, ids=lambda path: path.stem)
def text(request):
    """Return the text of a guide."""
    return request.param.read_text()


def test_subcommands_and_their_options_exist(text):
    for line in commands(text):
        found = re.search(r'tracking_benchmark (\S+)(.*)', line)
        if not found:
            continue
        help_text = subcommand_help(found[1])
        for option in re.findall(r'(?<!\S)--[a-z0-9-]+', found[2]):
            assert f'{option} ' in help_text or f'{option}\n' in help_text, (option, line)


def test_launch_files_and_their_arguments_exist(text):
    # launch itself cannot be imported everywhere; parameters become arguments by their names.
    parameters = {spec.name for settings in (NodeSettings, EvaluatorSettings)
                  for spec in specs(settings)}
    for file, rest in re.findall(r'ros2 launch tracking_nodes (\S+)(.*)', '\n'.join(
            commands(text))):
        source = (ROOT / 'launch' / file).read_text() + (
            ROOT / 'tracking_nodes' / 'nodes' / 'launching.py').read_text()
        for argument in re.findall(r'(\w+):=', rest):
            assert argument in parameters or f"'{argument}'" in source, (argument, file)


def test_modules_and_programs_exist(text):
    for line in commands(text):
        for module in re.findall(r'-m (tracking_nodes[\w.]*)', line):
            path = ROOT / Path(*module.split('.'))
            assert path.with_suffix('.py').exists() or (path / '__main__.py').exists(), line
        for program in re.findall(r'ros2 run tracking_nodes (\w+)', line):
            assert program in PROGRAMS, line


def test_parameters_exist(text):
    known = {spec.name for settings in PARAMETERS for spec in specs(settings)}
    known |= {f'{name}.{spec.name}' for name in registry.names(own=True)
              for spec in specs(registry.tracker_class(name).settings_class)}
    # Not of one settings class, but declared by the evaluator and by rclpy.
    known |= {'bags', 'trackers', 'settings', 'use_sim_time'}
    assert not set(re.findall(r'(?:-p |param set /\w+ )([\w.]+)', text)) - known
    words = set(re.findall(r'`([a-z]+_[a-z_]+)`', text)) - set(PROGRAMS) - OTHER_WORDS
    modules = {path.stem for path in (ROOT / 'tracking_nodes' / 'training').glob('*.py')}
    assert not words - known - modules


def test_topics_and_services_of_the_tracker_exist(text):
    known = {row.name for row in (*PUBLISHED, *SUBSCRIBED, *SERVICES)}
    for name in re.findall(r'/tracker/(\w+)', text):
        assert f'~/{name}' in known, name


def example():
    """Return the two files of the guide: the tracker and its setup.py."""
    return re.findall(r'```python\n(.*?)```', ADDING.read_text(), re.S)


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """Return a folder that the guide's package is installed into, as the guide says."""
    folder = tmp_path_factory.mktemp('template_tracker')
    module, setup = example()
    (folder / 'template_tracker.py').write_text(module)
    (folder / 'setup.py').write_text(setup)
    subprocess.run(
        [sys.executable, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check',
         '--no-build-isolation', '--no-deps', '--target', folder / 'site', folder], check=True)
    return folder / 'site'


def with_it(site, *arguments):
    """Run a module in a process that has the guide's package; return what it printed."""
    path = os.pathsep.join([str(site), str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])])
    done = subprocess.run([sys.executable, '-m', *map(str, arguments)], text=True, cwd=site,
                          capture_output=True, env={**os.environ, 'PYTHONPATH': path})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_is_short():
    assert len(example()[0].splitlines()) < 60


def test_the_example_is_listed_with_its_settings(site):
    assert re.search(r'template +of the package template_tracker', with_it(
        site, 'tracking_nodes.cli', 'list'))
    assert 'rate = 0.02' in with_it(site, 'tracking_nodes.cli', 'list', 'template')


def test_the_example_tracks_and_what_made_its_results_is_known(site, tmp_path):
    sequence = SyntheticSequence()
    clip = tmp_path / 'clip'
    write_folder(sequence, clip)
    run = ['tracking_nodes.cli', 'run', '--tracker', 'template', '--out', tmp_path / 'out', clip]
    with_it(site, *run)
    boxes = np.loadtxt(next((tmp_path / 'out' / 'template').glob('clip.txt')), delimiter=',')
    assert (iou(boxes, sequence.boxes) > 0.5).mean() > 0.9
    module = site / 'template_tracker.py'
    before = module.read_text()
    module.write_text(before.replace('SIDE = 48', 'SIDE = 40'))
    try:
        with pytest.raises(AssertionError, match='made with other settings: code = '):
            with_it(site, *run)
    finally:
        module.write_text(before)


def test_the_example_keeps_the_contract(site):
    tests = ROOT / 'test' / 'test_tracker_contract.py'
    said = with_it(site, 'pytest', '-q', '-p', 'no:cacheprovider', tests, '-k', 'template')
    assert re.search(r'(\d+) passed', said) and 'failed' not in said


def test_the_node_runs_the_example_with_its_own_parameters(site, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(site))
    process = start_node('-p', 'tracker:=template', '-p', 'template.rate:=0.05',
                         stderr=subprocess.PIPE, text=True)
    try:
        assert any('template is ready on' in line for line in process.stderr)
    finally:
        process.terminate()
        process.communicate(timeout=10)
    wrong = start_node('-p', 'tracker:=template', '-p', 'template.rate:=5.0',
                       stderr=subprocess.PIPE, text=True)
    assert 'template.rate' in wrong.communicate(timeout=30)[1] and wrong.returncode == 1


@pytest.fixture
def offered(monkeypatch):
    """Return a function that lets other packages offer trackers."""
    def offer(*points):
        monkeypatch.setattr(registry.metadata, 'entry_points', lambda group: [
            registry.metadata.EntryPoint(name, value, group) for name, value in points])
        registry._offered.cache_clear()
    yield offer
    monkeypatch.undo()
    registry._offered.cache_clear()


def test_two_trackers_of_one_name_are_refused(offered):
    offered(('mine', 'one:A'), ('mine', 'one:A'))
    assert 'mine' in registry.names() and 'mine' not in registry.names(own=True)
    for points in ([('edcf', 'one:A')], [('mine', 'one:A'), ('mine', 'two:B')]):
        offered(*points)
        with pytest.raises(SettingError, match=f"a tracker '{points[-1][0]}', but there is"):
            registry.names()

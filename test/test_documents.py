"""The documents beside the code: what they name exists, and the version is one."""
from pathlib import Path
import re
from xml.etree import ElementTree

import pytest

from tracking_nodes.trackers import registry

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md'),
                *(ROOT / 'models').glob('*.md')])


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page):
    targets = re.findall(r'\]\((?!https?:|#)([^)#\s]+)', page.read_text())
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_every_fault_of_the_table_has_a_test_of_that_name():
    named = re.findall(r'`(test_\w+\.py)(?:::(\w+))?`', (ROOT / 'docs' / 'faults.md').read_text())
    assert len(named) > 15
    for file, function in named:
        text = (ROOT / 'test' / file).read_text()
        assert f'def {function}(' in text if function else text


def rows(text, first):
    """Return the rows, as lists of cells, of the table whose first column is called so."""
    table = re.search(rf'^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)', text, re.M).group(1)
    return [[cell.strip() for cell in row.strip('|').split('|')] for row in table.splitlines()]


def test_every_fault_of_the_table_says_how_near_to_a_robot_its_test_is():
    text = (ROOT / 'docs' / 'faults.md').read_text()
    assert {row[0] for row in rows(text, 'how')} == {row[2] for row in rows(text, 'fault')}


@pytest.mark.parametrize('file', ['test_faults.py', 'test_camera_faults.py',
                                  'test_node_faults.py'])
def test_every_test_of_faults_is_in_the_table(file):
    text = (ROOT / 'test' / file).read_text()
    table = (ROOT / 'docs' / 'faults.md').read_text()
    assert not [name for name in re.findall(r'^def (test_\w+)', text, re.M) if name not in table]


def test_every_paper_is_cited_under_the_name_of_its_tracker():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    cited = {re.search(r'tracker (\w+)', paper['notes']).group(1)
             for paper in citation['references']}
    assert cited == {'cstnet', 'gstp', 'rman', 'tsn', 'edcf'} <= set(registry.names())
    for paper in citation['references']:
        assert paper['title'] and paper['year'] and len(paper['authors']) > 3


def test_titles_and_years_are_those_of_the_trackers_own_pages():
    for paper in yaml.safe_load((ROOT / 'CITATION.cff').read_text())['references']:
        name = re.search(r'tracker (\w+)', paper['notes']).group(1)
        page = ' '.join((ROOT / 'docs' / 'trackers' / f'{name}.md').read_text().split())
        assert paper['title'].lower() in page.lower() and str(paper['year']) in page, name


def test_version_and_licence_of_the_citation_are_those_of_the_package():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    manifest = ElementTree.parse(ROOT / 'package.xml').getroot()
    assert str(citation['version']) == manifest.findtext('version')
    assert citation['license'] == manifest.findtext('license')


def test_every_launch_file_is_in_the_readme():
    text = (ROOT / 'README.md').read_text()
    files = [path.name for path in (ROOT / 'launch').glob('*.launch.py')]
    assert files and not [name for name in files if name not in text]

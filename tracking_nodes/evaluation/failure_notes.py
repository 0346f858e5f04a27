"""The folder of failures: strips, an index, and a file of notes that later runs keep."""
from pathlib import Path

import cv2

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation.failure_strips import draw_strip
from tracking_nodes.evaluation.results import write_text

import yaml

INDEX, NOTES = 'failures.md', 'notes.yaml'
FIELDS = ('cause', 'done')
_NOTES_HEAD = ('# The cause of each failure and what was done about it, in your own words.\n'
               '# What stands here is kept by every run, and shown in failures.md.\n')


def write_failures(folder, failures, sequences, stored, step):
    """
    Write a strip of each failure, the index, and the notes with a place for new failures.

    :param folder: of the failures, made when missing; strips of what is no failure any more go.
    :param failures: list of `Failure`.
    :param sequences: {name: `Sequence`}; a failure on another has no strip.
    :param stored: {label: {sequence: `Result`}}.
    :param step: distance in frames of the pictures of a strip.
    :return: path of the index.
    :raises TrackingError: the notes cannot be read, or a sequence has other frames than results.
    """
    folder = Path(folder)
    notes = read_notes(folder / NOTES)
    for path in folder.glob('*/*.png'):
        path.unlink()
    strips = {failure: _write_strip(folder, failure, sequences[failure.sequence], stored, step)
              for failure in failures if failure.sequence in sequences}
    for failure in failures:
        own = notes.setdefault(failure.tracker, {}).setdefault(failure.sequence, {})
        for field in FIELDS:
            own.setdefault(field, '')
    write_text(folder / NOTES, _NOTES_HEAD + yaml.safe_dump(notes, allow_unicode=True, width=99))
    write_text(folder / INDEX, index(failures, strips, notes))
    return folder / INDEX


def read_notes(path):
    """
    Return {tracker: {sequence: {field: text}}} of a file of notes, empty where there is none.

    :raises TrackingError: it is not of this form.
    """
    if not path.is_file():
        return {}
    try:
        notes = yaml.safe_load(path.read_text()) or {}
        return {str(tracker): {str(name): {field: str(text or '') for field, text in own.items()}
                               for name, own in rows.items()} for tracker, rows in notes.items()}
    except (yaml.YAMLError, AttributeError) as error:
        raise TrackingError(f'{path} cannot be read ({error}); it holds tracker: sequence: '
                            'cause: text; mend it or move it away') from error


def index(failures, strips, notes):
    """
    Return the index in Markdown: a table, and below it the strips.

    :param failures: list of `Failure`.
    :param strips: {`Failure`: path of its strip from the index}.
    :param notes: as from `read_notes`, with all failures.
    """
    lines = ['| tracker | sequence | AUC | best peer | its AUC | what | frame | cause | done |',
             '|---|---|---:|---|---:|---|---:|---|---|']
    pictures = []
    for failure in failures:
        own = notes[failure.tracker][failure.sequence]
        lines.append('| ' + ' | '.join([
            _cell(failure.tracker), _cell(failure.sequence), f'{failure.auc:.3f}',
            _cell(failure.peer), f'{failure.peer_auc:.3f}', failure.kind, str(failure.frame),
            *(_cell(own[field]) for field in FIELDS)]) + ' |')
        if failure in strips:
            title = f'{_cell(failure.sequence)}: {_cell(failure.tracker)} {failure.kind}'
            pictures += ['', f'## {title} in frame {failure.frame}', '',
                         f'![{title}](<{strips[failure]}>)']
    return '\n'.join([*lines, *pictures]) + '\n'


def _write_strip(folder, failure, sequence, stored, step):
    """Write one strip and return its path from the folder."""
    runs = {label: stored[label][failure.sequence].run
            for label in (failure.tracker, failure.peer)}
    for label, run in runs.items():
        if len(run.boxes) != len(sequence):
            raise TrackingError(f'{label} has {len(run.boxes)} boxes for the {len(sequence)} '
                                f'frames of {sequence.name}; give --frames as it was run')
    place = Path(failure.tracker) / f'{failure.sequence}.png'
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    _, content = cv2.imencode('.png', draw_strip(sequence, failure, runs, step))
    (folder / place).write_bytes(content.tobytes())
    return place.as_posix()


def _cell(text):
    return ' '.join(text.split()).replace('\\', r'\\').replace('|', r'\|').replace('<', '&lt;')

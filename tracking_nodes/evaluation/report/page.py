"""One HTML page that needs no other file and no network."""
import base64
from dataclasses import asdict
import gzip
from importlib import resources
import json

from jinja2 import Environment, StrictUndefined

from tracking_nodes.evaluation.metrics import VARIANTS
from tracking_nodes.evaluation.report.figures import DASHES, PALETTE
from tracking_nodes.evaluation.report.speed import SPEED
from tracking_nodes.evaluation.run import FAILED

_SCRIPTS = ('charts.js', 'viewer.js', 'page.js')


def render(parts, labels, extras, sequences, subset=''):
    """
    Return the page.

    :param parts: list of `Part`, one per protocol.
    :param labels: all trackers of the report in order, which decides their colours.
    :param extras: an `Extras`.
    :param sequences: {name: `Embedded`}.
    :param subset: name of the part of the results that the page is of, '' for all of them.
    :return: HTML; names of trackers and sequences are escaped wherever they stand.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    environment.filters['zip'] = zip
    colours = [PALETTE[index % len(PALETTE)] for index in range(len(labels))]
    dashes = [DASHES[index // len(PALETTE) % len(DASHES)] for index in range(len(labels))]
    return environment.from_string(_file('page.html')).render(
        parts=parts, labels=labels, subset=subset, colours=colours, dashes=dashes, rules=VARIANTS,
        sequences=list(sequences), frames=sum(part.frames for part in sequences.values()),
        speed=extras.speed, speed_metrics=SPEED, made=extras.made,
        css=_file('page.css'), js='\n'.join(map(_file, _SCRIPTS)),
        images={name: script_json(part.images) for name, part in sequences.items()},
        tracks={name: packed(part.tracks) for name, part in sequences.items()},
        data=script_json({
            'labels': labels, 'colours': colours, 'dashes': dashes, 'failed': FAILED,
            'protocols': [part.name for part in parts], 'sequences': list(sequences),
            'plots': {part.name: [asdict(plot) for plot in part.plots] for part in parts},
            'attributes': {part.name: [list(map(asdict, both))
                                       for both in part.attributes.values()] for part in parts},
            'speed': asdict(extras.speed_plot) if extras.speed_plot else None}))


def script_json(content):
    """Return JSON that may stand in a script element, whatever text it holds."""
    text = json.dumps(content, allow_nan=False, separators=(',', ':'))
    return text.replace('<', r'\u003c').replace('>', r'\u003e').replace('&', r'\u0026')


def packed(content):
    """Return JSON as base64 of gzip, which a browser unpacks when a sequence is opened."""
    text = json.dumps(content, allow_nan=False, separators=(',', ':'))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode('ascii')


def _file(name):
    return (resources.files(__package__) / name).read_text(encoding='utf-8')

"""`tracking_benchmark import`: published raw results beside those run here."""
import sys

from tracking_nodes.commands import options as shared
from tracking_nodes.evaluation.running.folder_lock import alone


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'import', alone(import_results),
        'put published raw results into a results folder',
        'Reads boxes as text (pytracking, pysot, got10k, VOT), MATLAB (OTB) or JSON, finds those '
        'of each sequence by its name, and writes them as results of a tracker, so that every '
        'table, plot and video shows them too.')
    command.add_argument('--from', required=True, metavar='PATH', dest='source',
                         help="the tracker's folder of results, or a JSON file of all sequences")
    command.add_argument('--label', required=True, metavar='NAME', help='name of the tracker')
    command.add_argument('--out', required=True, metavar='DIR', help='results folder')
    command.add_argument('--protocol', default='ope', metavar='NAME',
                         help='what they were made by (default: %(default)s)')
    command.add_argument('--first-pixel', type=int, choices=(0, 1),
                         help='what boxes count pixels from (default: 1 for the formats of OTB, '
                              'which do, otherwise 0)')
    shared.add_variant(command)
    shared.add_sequences(command)


def import_results(options):
    """Import what is there, score the folder, and name what is missing."""
    from tracking_nodes.errors import SettingError
    from tracking_nodes.evaluation import protocols
    from tracking_nodes.evaluation.benchmark import write_scores
    from tracking_nodes.evaluation.published import importing
    from tracking_nodes.evaluation.table import protocol_table

    protocol = protocols.get(options.protocol)
    done, refused = importing.import_results(
        options.source, shared.open_all(options), options.out, options.label, protocol,
        options.first_pixel)
    for name, why in refused.items():
        sys.stderr.write(f'{name} not imported: {why}\n')
    if not done:
        raise SettingError(f'{options.source} has no results of any of {len(refused)} sequences')
    print(protocol_table(protocol, write_scores(options.out, protocol, options.variant)))
    return 1 if refused else 0

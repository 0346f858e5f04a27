"""`tracking_benchmark recorded`: score what a node answered while a bag was recorded."""
from pathlib import Path

from tracking_nodes.commands import options as shared
from tracking_nodes.evaluation.running.folder_lock import alone


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'recorded', alone(recorded),
        'score the answers that a bag has of a running node',
        'For a bag recorded while camera and tracker ran, with ground truth added: pairs each '
        'image with the newest answer that the recorder had by its stamp, as --protocol latency '
        'does for trackers that it runs itself. Writes DIR/latency.')
    command.add_argument('--detections', required=True, metavar='TOPIC',
                         help="Detection2DArray topic of the tracker's answers")
    command.add_argument('--label', default='node', help='name of the tracker in the results '
                         '(default: %(default)s)')
    command.add_argument('--out', required=True, metavar='DIR', help='results folder')
    shared.add_variant(command)
    command.add_argument('bags', nargs='+', metavar='BAG', help='bag with images and answers')
    shared.add_topics(command)


def recorded(options):
    """Score the bags and print the table."""
    import numpy as np

    from tracking_nodes.evaluation import protocols, results
    from tracking_nodes.evaluation.benchmark import write_scores
    from tracking_nodes.evaluation.protocols.latency import OFFLINE, ONLINE
    from tracking_nodes.evaluation.recorded import Answers, match_answers, pair_answers
    from tracking_nodes.evaluation.table import protocol_table
    from tracking_nodes.sequences.bags import BagSequence, read_detections
    from tracking_nodes.sequences.fingerprint import dataset_hash

    protocol = protocols.get('latency')
    folder = Path(options.out) / protocol.folder
    sequences = [BagSequence(path, options.image_topic, options.ground_truth_topic,
                             options.ground_truth_file) for path in options.bags]
    dataset = dataset_hash(sequences)
    for path, sequence in zip(options.bags, sequences):
        found = read_detections(path, options.detections)
        answers = Answers(found.stamps, found.boxes, np.nan_to_num(found.scores),
                          found.received / 1e9)
        runs = {ONLINE: pair_answers(answers, sequence, sequence.received),
                OFFLINE: match_answers(answers, sequence)[0]}
        record = results.describe(options.label, sequence, {'topic': options.detections}, {},
                                  dataset)
        for trial in protocol.trials(sequence):
            results.write_result(folder, options.label, results.file_name(sequence.name, trial),
                                 results.Result.of(runs[trial.name], sequence, record, trial))
    print(protocol_table(protocol, write_scores(options.out, protocol, options.variant)))

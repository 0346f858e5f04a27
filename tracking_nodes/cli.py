"""The command `tracking_benchmark`: trackers on bags and sequences, without ROS."""
import argparse
import logging
import sys

from tracking_nodes.commands import ablate
from tracking_nodes.commands import bench
from tracking_nodes.commands import calibrate
from tracking_nodes.commands import compare
from tracking_nodes.commands import failures
from tracking_nodes.commands import import_results
from tracking_nodes.commands import latency_profile
from tracking_nodes.commands import list as listing
from tracking_nodes.commands import recorded
from tracking_nodes.commands import reentries
from tracking_nodes.commands import report
from tracking_nodes.commands import responses
from tracking_nodes.commands import run
from tracking_nodes.commands import stages
from tracking_nodes.commands import table
from tracking_nodes.commands import verify
from tracking_nodes.commands import video
from tracking_nodes.commands import vot_trackers
from tracking_nodes.errors import TrackingError

# In the order in which help names them.
COMMANDS = (listing, verify, run, compare, ablate, import_results, report, table, failures,
            calibrate, responses, video, latency_profile, stages, bench, recorded, reentries,
            vot_trackers)


def main(arguments=None):
    """Run one subcommand and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ['convert']:
        from tracking_nodes.sequences import convert

        return convert.main(arguments[1:])
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    try:
        return options.command(options) or 0
    except TrackingError as error:
        sys.stderr.write(f'tracking_benchmark: {error}\n')
        return 1
    except OSError as error:
        sys.stderr.write(f'tracking_benchmark: {error}; what is done is kept, and the same '
                         'command goes on from there once this is repaired\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write('\ntracking_benchmark: interrupted; what is done is kept, and the same '
                         'command goes on from there\n')
        return 130


def _parser():
    parser = argparse.ArgumentParser(
        prog='tracking_benchmark',
        description='Run single-object trackers on bags and sequences, score and show them.',
        epilog='tracking_benchmark COMMAND --help says more of a command.')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for module in COMMANDS:
        module.add(commands)
    # Only to be listed: `main` hands its arguments on as they are.
    commands.add_parser('convert', help='write sequences as bags, as dataset_to_bag does')
    return parser


if __name__ == '__main__':
    sys.exit(main())

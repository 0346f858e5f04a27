"""`tracking_benchmark reentries`: who finds a target again that left the image."""
from tracking_nodes.commands import options as shared, run, running


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'reentries', reentries, 'count how often a target that left is found again',
        'Runs trackers over clips in which the target leaves the image and comes back among '
        'look-alikes, drawn from --seed. Writes a results folder as run does, and beside it '
        'reentries.md and reentries.json. Run again to go on where it was interrupted.')
    run.add_trackers(command)
    run.add_peers(command)
    command.add_argument('--clips', type=int, default=20, metavar='N',
                         help='number of clips (default: %(default)s)')
    command.add_argument('--stills', metavar='DIR',
                         help='photographs the clips are made of: masked/images, masked/masks '
                              'and stills; drawn shapes where none are given')
    command.add_argument('--out', metavar='DIR', help='results folder')
    command.add_argument('--overwrite', action='store_true',
                         help='delete what --out holds of these trackers first')
    command.add_argument('--write', metavar='DIR',
                         help='write the clips into folders below DIR that the other commands '
                              'read as sequences; no tracker is needed then')
    running.add_division(command)
    shared.add_tracker_options(command)


def reentries(options):
    """Run the trackers over the clips, write and print the table."""
    from pathlib import Path

    from tracking_nodes.errors import SettingError
    from tracking_nodes.sequences.folder_writer import write_folder

    if options.clips < 1 or options.seed < 0:
        raise SettingError(f'--clips {options.clips} --seed {options.seed}: give 1 clip or more, '
                           'and a seed that is not negative')
    # Before any clip is drawn, which takes longer than reading what is wrong.
    needed = options.tracker or options.peer or not options.write
    contenders = run.contenders_of(options, options.peer) if needed else []
    if contenders and not options.out:
        raise SettingError('no results folder; give --out DIR')
    clips = _clips(options)
    if options.write:
        for clip in clips:
            write_folder(clip, Path(options.write) / clip.name)
    return _run(contenders, clips, options) if contenders else 0


def _clips(options):
    """Return the clips, the same for the same seed and pictures."""
    import numpy as np

    from tracking_nodes.sequences.drawn_stills import drawn_stills
    from tracking_nodes.sequences.reentry_clips import reentry_clips
    from tracking_nodes.sequences.stills import read_stills

    stills = (read_stills(options.stills) if options.stills else
              drawn_stills(np.random.default_rng(options.seed)))
    return reentry_clips(stills, options.seed, options.clips)


def _run(contenders, clips, options):
    """Run all, write and print the table, and return the exit status."""
    from pathlib import Path
    import sys

    from tqdm.contrib.logging import logging_redirect_tqdm

    from tracking_nodes.errors import BenchmarkError
    from tracking_nodes.evaluation import results
    from tracking_nodes.evaluation.benchmark import run_benchmark
    from tracking_nodes.evaluation.contender import with_seeds
    from tracking_nodes.evaluation.reentry import reentry_table, stored_scores, WITHIN

    if options.seeds > 1:
        contenders = [one for group in with_seeds(contenders, options.seeds).values()
                      for one in group]
    status, folder = 0, Path(options.out)
    with logging_redirect_tqdm():
        try:
            run_benchmark(contenders, clips, folder, executor=running.executor(options),
                          overwrite=options.overwrite)
        except BenchmarkError as error:
            sys.stderr.write(f'tracking_benchmark: {error}\n')
            status = 1
    scores = stored_scores(folder, clips)
    table = reentry_table(scores)
    results.write_json(folder / 'reentries.json', {
        'seed': options.seed, 'within': WITHIN, 'trackers': scores})
    results.write_text(folder / 'reentries.md', table + '\n')
    print(table)
    return status

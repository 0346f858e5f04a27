"""
Run a benchmark whole, then kill it twice and resume it, and compare what the two folders say.

    TRACKING_DATA=/path/to/data python test/measure_resuming.py FOLDER

All trackers over all of TRACKING_DATA/dev under every protocol, with simulated latencies where a
protocol measures time. Sequences are cut and the trackers hardly learn, so that it takes minutes
and not a day: it shows that resuming changes no number, and nothing about accuracy. A folder that
holds a part of it already is gone on with. Exits with status 1 where a number differs.
"""
import argparse
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

from result_folders import numbers

SETTINGS = {
    'candidates': (24, 'cstnet', 'rman', 'tsn'),
    'search_size': (96, 'cstnet', 'rman', 'tsn'),
    'first_positives': (16, 'cstnet', 'rman', 'tsn'),
    'first_negatives': (64, 'cstnet', 'rman', 'tsn'),
    'first_kept': (64, 'cstnet', 'rman', 'tsn'),
    'first_iterations': (2, 'cstnet', 'rman', 'tsn'),
    'update_iterations': (1, 'cstnet', 'rman', 'tsn'),
    'regression_samples': (16, 'cstnet', 'rman', 'tsn'),
    'feature_channels': (8, 'rman', 'tsn'),
    'hidden': (32, 'rman', 'tsn'),
    'pairs': (4, 'rman', 'tsn'),
    'temporal_size': (48, 'cstnet'),
    'batch_positives': (8, 'cstnet'),
    'batch_negatives': (16, 'cstnet'),
    'hard_negatives': (8, 'cstnet'),
    'memory_length': (2, 'rman'),
    'spatial_cells': (9, 'tsn'),
    'spatial_samples': (4, 'tsn'),
    'spatial_batch': (2, 'tsn'),
    'spatial_first_iterations': (2, 'tsn'),
    'pool_targets': (4, 'tsn'),
    'scales': (1, 'edcf'),
    'motion': ('false', 'gstp'),
    'detector_longest': (128, 'gstp'),
    'detector_target': (24, 'gstp'),
}
PROFILE = """device: made up
camera: 10
trackers:
- {tracker: any, start: 80, locate: {mean: 45, std: 5}, learn: 20}
"""
PROTOCOLS = ('ope', 'tre', 'sre', 'vot', 'vot_realtime:{}', 'got10k', 'longterm', 'latency:{}')
# Shares of the jobs after which the command is killed.
MOMENTS = (0.3, 0.6)


def command(data, profile, frames, trials):
    """Return the command line without its results folder."""
    words = [sys.executable, '-m', 'tracking_nodes.cli', 'run', '--tracker', 'all', '--device',
             'cpu', '--threads', '1', '--every', '2', '--frames', str(frames), '--trials',
             str(trials), '--repetitions', '1']
    for name in PROTOCOLS:
        words += ['--protocol', name.format(profile)]
    for key, (value, *trackers) in SETTINGS.items():
        for tracker in trackers:
            words += ['--set', f'{tracker}.{key}={value}']
    return [*words, *(str(data / name) for name in ('otb', 'vot', 'tld'))]


def done(folder):
    """Return how many runs a results folder holds."""
    return len(list(folder.rglob('*_run.json')))


def kill_after(words, folder, count, log):
    """Start the command, kill it at a moment soon after it has `count` runs; return how many."""
    process = subprocess.Popen([*words, '--out', str(folder)], stdout=log, stderr=log)
    while done(folder) < count:
        if process.poll() is not None:
            raise SystemExit(f'the command ended with {process.returncode} before it could be '
                             f'killed; see {log.name}')
        time.sleep(0.05)
    time.sleep(random.Random(count).uniform(0, 1))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return done(folder)


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('folder', type=Path, help='made when missing')
    parser.add_argument('--frames', type=int, default=21, help='of each sequence, every second; '
                        'the last possible start of tre leaves 20')
    parser.add_argument('--trials', type=int, default=2, help='of each sequence and protocol')
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    profile = options.folder / 'made_up.yaml'
    profile.write_text(PROFILE)
    words = command(Path(os.environ['TRACKING_DATA']) / 'dev', profile, options.frames,
                    options.trials)
    print(' '.join(words), flush=True)
    whole, killed = options.folder / 'whole', options.folder / 'killed'
    with (options.folder / 'log.txt').open('a') as log:
        begin = time.monotonic()
        subprocess.run([*words, '--out', str(whole)], check=True, stdout=log, stderr=log)
        total = done(whole)
        print(f'{total} runs without interruption, {time.monotonic() - begin:.0f} s', flush=True)
        for share in MOMENTS:
            left = kill_after(words, killed, int(share * total), log)
            halves = len(list(killed.rglob('.*.partial')))
            print(f'killed with {left} runs done and {halves} files half written', flush=True)
        subprocess.run([*words, '--out', str(killed)], check=True, stdout=log, stderr=log)
    ours, theirs = numbers(killed), numbers(whole)
    differing = sorted(name for name in ours.keys() | theirs.keys()
                       if ours.get(name) != theirs.get(name))
    print(f'{done(killed)} runs after resuming; {len(theirs)} files compared, '
          f'{len(differing)} differ', *differing[:20], sep='\n')
    return 1 if differing else 0


if __name__ == '__main__':
    sys.exit(main())

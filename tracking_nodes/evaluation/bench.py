"""How fast trackers are here: latency of a frame, learning, memory, stages, and the floor."""
from contextlib import nullcontext
from dataclasses import asdict, dataclass
import multiprocessing
import resource
import sys
import time

import cv2
import numpy as np

from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.evaluation.running.processes import environment
from tracking_nodes.evaluation.stage_times import stages_table, targets
from tracking_nodes.trackers.stages import HostClock, StageWatch

_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Speed:
    """
    What one contender takes for a frame, in milliseconds where nothing else is said.

    On a GPU all times are those of events on its stream.

    fps: frames per second, learning included. median, p95, p99, longest: of locate and learn
    together. start: of the first box. learning: mean of the calls of learn that changed the model,
    NaN without any and where it is learned in the background. updates, skipped: how many changed
    the model, and how many did not begin since one was running. memory: megabytes the process took
    at most, the images of the sequence included. gpu_memory: megabytes of tensors on the GPU at
    most. stages: {name: mean per frame}. operations: 1e9 per call of locate, traffic: megabytes,
    floor: at least, see `nn.arithmetic`; NaN for trackers that PyTorch does not compute.
    """

    label: str
    tracker: str
    settings: dict
    device: str
    threads: int
    frames: int
    fps: float
    median: float
    p95: float
    p99: float
    longest: float
    start: float
    learning: float
    updates: int
    skipped: int
    memory: float
    gpu_memory: float
    stages: dict
    operations: float
    traffic: float
    floor: float


COLUMNS = {'fps': 'fps', 'median': 'median ms', 'p95': 'p95', 'p99': 'p99', 'longest': 'longest',
           'start': 'start ms', 'learning': 'ms an update', 'updates': 'updates',
           'skipped': 'skipped', 'memory': 'memory MB', 'gpu_memory': 'GPU MB',
           'operations': 'Gop a locate', 'traffic': 'traffic MB', 'floor': 'floor ms'}


def measure_apart(contender, sequence, frames, rate, threads):
    """
    Return the `Speed` of a contender, measured in a process of its own.

    :param contender: a `Contender`.
    :param sequence: a `Sequence`.
    :param frames: how many frames, from the first with ground truth on; at least 2.
    :param rate: at most so many frames per second, as a camera gives them; 0 for no limit.
    :param threads: PyTorch's and OpenCV's.
    :raises TrackingError: what the tracker or the sequence raised.
    """
    context = multiprocessing.get_context('spawn')
    # Read when PyTorch is loaded, before any of our code runs over there.
    with environment(OMP_NUM_THREADS=str(threads)), context.Pool(1) as pool:
        return pool.apply(measure, (contender, sequence, frames, rate, threads))


def table(speeds):
    """Return the table in Markdown of some `Speed`s, and that of their stages."""
    lines = ['| | ' + ' | '.join(COLUMNS.values()) + ' |', '|---' * (len(COLUMNS) + 1) + '|']
    lines += [f'| {speed.label} | ' + ' | '.join(
        _written(getattr(speed, key)) for key in COLUMNS) + ' |' for speed in speeds]
    divided = {speed.label: _divided(speed) for speed in speeds if speed.stages}
    return '\n'.join([*lines, '', stages_table(divided)] if divided else lines)


def _divided(speed):
    """Return the seconds a frame of every stage, as of `measure_stages`."""
    seconds = {name: mean / 1e3 for name, mean in speed.stages.items()}
    frame = 1 / speed.fps
    return {**seconds, 'other': frame - sum(seconds.values()), 'frame': frame}


def as_json(speeds):
    """Return what json can write of some `Speed`s; what was not measured is None."""
    return [{key: None if value != value else value for key, value in asdict(speed).items()}
            for speed in speeds]


def measure(contender, sequence, frames, rate, threads):
    """Return the `Speed` of a contender in this process; as of `measure_apart`."""
    cv2.setNumThreads(threads)
    tracker = contender.create()
    tracker.warm_up()
    images, box = targets(sequence, frames)
    images = list(images)
    clock = _clock(contender)
    begin = clock.mark()
    tracker.start(images[0], box)
    start = clock.seconds(begin, clock.mark())
    calls, watch, camera = [], StageWatch(clock), _Camera(rate)
    with _giving_way(contender, camera):
        for image in images[1:]:
            camera.wait()
            begin = clock.mark()
            with watch:
                tracker.locate(image)
                middle = clock.mark()
                changed = tracker.learn()
            calls.append((begin, middle, clock.mark(), changed))
    latencies = [clock.seconds(begin, end) for begin, _, end, _ in calls]
    updates = [clock.seconds(middle, end) for _, middle, end, changed in calls
               if changed and contender.runtime.learning == 'inline']
    milliseconds = 1e3 * np.array(latencies)
    place, (gpu_memory, *floor) = contender.place(), _arithmetic(contender, tracker, images[-1])
    return Speed(
        contender.label, contender.tracker, contender.values, place['device'], place['threads'],
        len(latencies), 1e3 / milliseconds.mean(),
        *(float(np.percentile(milliseconds, share)) for share in (50, 95, 99, 100)),
        1e3 * start, 1e3 * float(np.mean(updates)) if updates else float('nan'),
        tracker.progress.updates, tracker.progress.skipped,
        _peak_memory(), gpu_memory,
        {name: 1e3 * seconds / len(latencies) for name, seconds in watch.seconds.items()}, *floor)


def _clock(contender):
    """Return the clock of what a contender computes on, see `trackers.stages.HostClock`."""
    if contender.tracker in PEERS:
        return HostClock
    # Not above: OpenCV's trackers need no PyTorch.
    from tracking_nodes.nn.device import resolve_device
    from tracking_nodes.nn.stream_clock import StreamClock

    device = resolve_device(contender.runtime.device)
    return StreamClock(device) if device.type == 'cuda' else HostClock


def _arithmetic(contender, tracker, image):
    """Return the memory on the GPU, and operations, traffic and floor of a call of locate."""
    if contender.tracker in PEERS:
        return (0.0, *(float('nan'),) * 3)
    # Not above: OpenCV's trackers need no PyTorch.
    from tracking_nodes.nn.arithmetic import counted, measured_ceilings
    from tracking_nodes.nn.device import convolution_type, peak_memory, resolve_device

    runtime = contender.runtime
    device = resolve_device(runtime.device)
    peak = peak_memory(device)
    ceilings = measured_ceilings(device, convolution_type(device, 'auto', runtime.half))
    count = counted(lambda: tracker.locate(image))
    return (peak / _MEGABYTE, count.operations / 1e9, count.bytes_moved / _MEGABYTE,
            1e3 * ceilings.floor(count))


class _Camera:
    """Images at a rate, or without one whenever they are asked for."""

    def __init__(self, rate):
        self._period, self._due = 1 / rate if rate else 0.0, time.perf_counter()

    def wait(self):
        """Wait for the next image; one that came while the tracker was busy is there at once."""
        if self._period:
            self._due = max(self._due + self._period, time.perf_counter() - self._period)
            time.sleep(max(0.0, self._due - time.perf_counter()))

    @property
    def late(self):
        """Return whether the next image is there already; not where it would wait."""
        return self._period > 0 and time.perf_counter() >= self._due + self._period


def _giving_way(contender, camera):
    """Return the context in which updates in the background give way to late frames."""
    if contender.tracker in PEERS:
        return nullcontext()
    # Not above: OpenCV's trackers need no PyTorch.
    from tracking_nodes.online.background import updates_in_time

    return updates_in_time(lambda: camera.late)


def _peak_memory():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In bytes on macOS, in kilobytes elsewhere.
    return peak / _MEGABYTE if sys.platform == 'darwin' else peak / 1024


def _written(value):
    if isinstance(value, int):
        return str(value)
    return '-' if value != value else f'{value:.3g}' if value < 100 else f'{value:.0f}'

"""The node's message on /diagnostics: level and words first, then every number by name."""
import os
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from tracking_nodes.nn.device import memory_in_use
from tracking_nodes.trackers.presence import State

_FAULT_LASTS = 10.0
_SEVERE = ('tracker_error', 'learn_error', 'gpu_memory', 'configure', 'activate')
_PARTS = ('queue', 'decode', 'locate', 'predict', 'publish', 'learn')


def diagnostic_array(node_name, stamp, lifecycle, health, worker, tracker_values):
    """
    Return the DiagnosticArray with one status, and one more for each of several targets.

    :param node_name: fully qualified name of the node.
    :param stamp: builtin_interfaces Time.
    :param lifecycle: label of the lifecycle state.
    :param health: the `Health`.
    :param worker: the `Worker`, or None while unconfigured.
    :param tracker_values: mapping of more names to values: tracker, device, topic.
    """
    level, words = judge(health, worker.state if worker else None, lifecycle)
    values = {'lifecycle': lifecycle, **tracker_values, **_worker_values(worker),
              **_health_values(health)}
    status = DiagnosticStatus(
        level=level, name=f'{node_name}: tracker', message=words,
        hardware_id=str(tracker_values.get('device', '')),
        values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()])
    array = DiagnosticArray(status=[status, *_target_statuses(node_name, worker)])
    array.header.stamp = stamp
    return array


def judge(health, state, lifecycle):
    """
    Return (level, words) for what is known.

    :param health: the `Health`.
    :param state: the target's `State`, or None while unconfigured.
    :param lifecycle: label of the lifecycle state.
    """
    level, words = DiagnosticStatus.OK, []
    fault = health.last_fault
    if fault is not None and time.monotonic() - fault[0] < _FAULT_LASTS:
        level = DiagnosticStatus.ERROR if fault[1] in _SEVERE else DiagnosticStatus.WARN
        words.append(fault[2].splitlines()[0])
    notices = list(health.notices.values())
    if state is State.LOST:
        notices.append('the target is lost')
    if notices:
        level = max(level, DiagnosticStatus.WARN)
        words.extend(notices)
    return level, '; '.join(words) or (state.value if lifecycle == 'active' else lifecycle)


def memory_resident():
    """Return the resident memory of this process in bytes; 0 where /proc does not tell it."""
    try:
        with open('/proc/self/statm', encoding='ascii') as file:
            return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    except OSError:
        return 0


def tracker_values(settings, device, topic):
    """Return the values that describe how the node is set up."""
    return {'tracker': settings.tracker, 'device': device, 'image topic': topic,
            'GPU memory (MB)': memory_in_use(device) / 1e6 if device else 0.0,
            'resident memory (MB)': memory_resident() / 1e6}


def _target_statuses(node_name, worker):
    if worker is None or not worker.named:
        return []
    statuses = []
    for target in worker.targets:
        values = {'state': target.state.value, 'class': target.class_id,
                  **_model_values(target.progress)}
        statuses.append(DiagnosticStatus(
            level=DiagnosticStatus.WARN if target.state is State.LOST else DiagnosticStatus.OK,
            name=f'{node_name}: target {target.label}', message=target.state.value,
            values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()]))
    return statuses


def _worker_values(worker):
    if worker is None:
        return {}
    return {'state': worker.state.value, 'target id': worker.epoch,
            'learning': 'on' if worker.learning else 'frozen', **_model_values(worker.progress),
            'buffered images': worker.buffered}


def _model_values(progress):
    return {'model age (s)': progress.age, 'model updates': progress.updates,
            'model updates skipped': progress.skipped, 'model updates failed': progress.failed,
            'model update running': 'yes' if progress.running else 'no'}


def _health_values(health):
    received, answered = health.rates()
    values = {'images per second': received, 'answers per second': answered,
              'images received': health.received, 'images answered': health.processed}
    for part in ('latency', *_PARTS):
        ranks = health.percentiles(part)
        name = 'image stamp to published' if part == 'latency' else part
        for rank, value in zip((50, 95, 99), ranks or (None,) * 3):
            values[f'{name} p{rank} (ms)'] = None if value is None else value * 1e3
    values['time outside the tracker'] = health.share_outside()
    values.update({f'dropped: {reason}': count for reason, count in sorted(health.drops.items())})
    values.update({f'fault: {reason}': count for reason, count in sorted(health.faults.items())})
    if health.last_fault is not None:
        moment, _, text = health.last_fault
        values['last error'] = text
        values['last error age (s)'] = time.monotonic() - moment
    return values


def _text(value):
    if value is None:
        return 'unknown'
    return f'{value:.3f}' if isinstance(value, float) else str(value)

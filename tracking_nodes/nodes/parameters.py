"""The tracker node's parameters: one table, declared in ROS with descriptors and ranges."""
from dataclasses import dataclass
import math

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from tracking_nodes.errors import BoxError, SettingError
from tracking_nodes.nodes.requests import parse_box
from tracking_nodes.online.extrapolation import COMPENSATIONS, LIMIT, MotionNoise
from tracking_nodes.parameters import setting, Settings, specs
from tracking_nodes.trackers.base import LEARNING
from tracking_nodes.trackers.presence import Thresholds

# Read once when the process starts; all other parameters can be set while unconfigured.
READ_ONLY = ('autostart', 'diagnostics_period')


@dataclass(frozen=True)
class NodeSettings(Settings):
    """Parameters of the tracker node; those of the tracker itself are under `<tracker>.`."""

    tracker: str = setting('edcf', 'which tracker runs; tracking_benchmark list names them')
    device: str = setting(
        'auto', 'where the tracker computes: auto, cpu, cuda or cuda:N; a GPU that is asked for '
        'and missing is an error')
    half: bool = setting(False, 'float16 features; only on a GPU')
    graphs: bool = setting(
        False, 'on a GPU, record the passes of the frozen networks and the steps of learning as '
        'CUDA graphs and replay them; elsewhere nothing changes', source='not run on a GPU yet')
    threads: int = setting(
        0, 'threads that PyTorch and OpenCV compute with, in the frames as in learning; 0: as '
        'many as they choose, which is one for each core', minimum=0, maximum=1024,
        source='measured: where other programs keep the cores busy, threads that wait for each '
        'other are several times slower than one')
    seed: int = setting(0, 'seed of every random draw', minimum=0, maximum=2 ** 31 - 1)
    models: str = setting(
        '', 'directory searched first for weights; empty: TRACKING_MODELS, then the package')
    learning: str = setting(
        'background', 'how the model is updated: inline, after the answer and before the next '
        'image, or in the background, in a thread of its own from which the new model is taken '
        'over between two images; an update that is due while one runs is skipped, and one that '
        'is due while the next image waits is put off by an image',
        choices=LEARNING, source="measured: one in a hundred of RMAN's images took 0.79 s or "
        'more inline, 0.10 s in the background')
    autostart: bool = setting(
        True, 'configure and activate at start; false where a lifecycle manager does it')

    image_transport: str = setting(
        'auto', 'raw or compressed images; auto takes the one that has a publisher, raw first',
        choices=('auto', 'raw', 'compressed'))
    image_qos: str = setting(
        'sensor_data', 'quality of service asked of the camera; qos_overrides change it further',
        choices=('sensor_data', 'reliable', 'system_default'), source='REP-2003')
    max_age: float = setting(
        1.0, 'images older than this when their turn comes are dropped, seconds; 0: never',
        minimum=0.0, maximum=60.0, live=True,
        source='a robot that servoes on a second-old box is better off without it')

    max_image_pixels: int = setting(
        100_000_000, 'images that say to have more pixels than this are refused before they are '
        'decoded', minimum=1, maximum=1_000_000_000, live=True,
        source='three times the largest industrial cameras')

    max_targets: int = setting(
        1, 'at most so many targets at a time, each with a tracker of its own: one without an id, '
        'as ever, and those that ~/init gives under ids of their own', minimum=1, maximum=64,
        source='cost of a target: docs/performance.md')
    init_box: str = setting(
        '', 'start on this box, "x, y, w, h" in pixels, in the next image; empty: wait',
        live=True)
    init_tolerance: float = setting(
        0.05, 'how far the stamp of a box may be from an image of the buffer, seconds',
        minimum=0.0, maximum=1.0, live=True, source='one frame at 20 Hz may be missing')
    buffer_seconds: float = setting(
        2.0, 'how long images are kept for boxes drawn on them and for the time a tracker takes '
        'to start, seconds', minimum=0.0, maximum=60.0,
        source='the time it takes a person to draw a box')
    buffer_megabytes: int = setting(
        128, 'limit of the memory of these images, megabytes', minimum=1, maximum=65536)
    carry_frames: int = setting(
        10, 'at most so many buffered images carry a new target forward to now, equally spaced',
        minimum=0, maximum=1000, live=True, source='catches up faster than new images come')
    class_id: str = setting(
        'target', 'class published for a target that came without one', live=True)

    candidates_policy: str = setting(
        'idle', 'when a box of the candidates topic starts a target: never, while idle, or '
        'while idle or lost', choices=('never', 'idle', 'lost'), live=True)
    candidates_class: str = setting(
        '', 'classes that may start a target, separated by commas; empty: any', live=True)
    candidates_score: float = setting(
        0.5, 'the lowest score of a candidate', minimum=0.0, maximum=1.0, live=True)
    candidates_region: str = setting(
        '', 'a candidate starts a target only where its centre lies in this box, "x, y, w, h" in '
        'pixels; empty: anywhere', live=True)
    candidates_confirm: float = setting(
        0.0, 'overlap (intersection over union) with the target, in the same image, from which a '
        'candidate of the class and score asked for confirms it: doubts are counted anew, so that '
        'it is not lost; 0: never', minimum=0.0, maximum=1.0, live=True)

    score_low: float = setting(
        Thresholds.low, 'a score below it makes the target uncertain and, repeated, lost',
        minimum=0.0, maximum=1.0, live=True,
        source='scores are calibrated so that 0.5 is the point of doubt')
    score_high: float = setting(
        Thresholds.high, 'a score from which an uncertain or lost target counts as tracked again',
        minimum=0.0, maximum=1.0, live=True,
        source='as far above the point of doubt as score_low is below')
    lost_after: int = setting(
        Thresholds.lost_after, 'so many doubtful images in a row make the target lost', minimum=1,
        maximum=10000, live=True, source='a third of a second at 30 Hz')

    compensation: str = setting(
        'none', 'how ~/predicted makes up for the time an answer takes: none publishes nothing '
        'there, kalman extrapolates the box with constant velocity, flow with the velocity over '
        'the background and that of the camera, found by sparse optical flow',
        choices=COMPENSATIONS, source='docs/latency.md')
    compensation_limit: float = setting(
        LIMIT, 'a box is extrapolated by no more than this from the last image in which the '
        'target was seen, seconds', minimum=0.0, maximum=10.0,
        source="measured: on OTB's ground truth no better than a box that stays, beyond it")
    compensation_noise: float = setting(
        MotionNoise.position, "standard deviation of the tracker's centre, and of the logarithms "
        "of its width and height, in units of the target's size", minimum=0.001, maximum=1.0,
        source='DeepSORT')
    compensation_acceleration: float = setting(
        MotionNoise.acceleration, 'how much the velocity changes: root of the spectral density of '
        "the noise on it, in units of the target's size per s^1.5", minimum=0.001,
        maximum=1000.0, source="DeepSORT's at 30 Hz")

    state_file: str = setting(
        '', 'file that the target is saved to twice a second and resumed from when the node is '
        'started again; empty: none')
    state_age: float = setting(
        10.0, 'a saved target older than this is not resumed, seconds', minimum=0.0,
        maximum=86400.0, source='a target that moves on is not where it was for longer')

    diagnostics_period: float = setting(
        1.0, 'time between two messages on /diagnostics, seconds', minimum=0.05, maximum=60.0)
    focal_length: float = setting(
        0.0, 'focal length for the markers of a camera without camera_info, pixels; 0: as long as '
        'the image is wide', minimum=0.0, maximum=1e6, live=True)

    def __post_init__(self):
        super().__post_init__()
        if self.score_low > self.score_high:
            raise SettingError(f'score_low = {self.score_low:g} is above score_high = '
                               f'{self.score_high:g}; set both in one request')
        try:
            parse_box(self.init_box)
            parse_box(self.candidates_region, 'candidates_region')
        except BoxError as error:
            raise SettingError(str(error)) from error

    @property
    def thresholds(self):
        """Return the `Thresholds` of the target's state."""
        return Thresholds(self.score_low, self.score_high, self.lost_after)

    @property
    def motion_noise(self):
        """Return the `MotionNoise` of the extrapolation."""
        return MotionNoise(self.compensation_noise, self.compensation_acceleration)


def descriptor(spec, reconfigurable=False):
    """
    Return the ROS descriptor of a `Spec`.

    :param reconfigurable: whether the node is a lifecycle node, which reads its parameters
        whenever it is configured; in other nodes what is not live is read-only.
    """
    message = ParameterDescriptor()
    message.description = spec.meaning + (f' (source: {spec.source})' if spec.source else '')
    message.read_only = not spec.live and (spec.name in READ_ONLY or not reconfigurable)
    limits = [f'one of {", ".join(str(choice) for choice in spec.choices)}'] * bool(spec.choices)
    if not spec.live and not message.read_only:
        limits.append('changes only while the node is unconfigured')
    message.additional_constraints = '; '.join(limits)
    # `-p max_age:=1` arrives as an integer; it is checked and converted by `parameters.checked`.
    message.dynamic_typing = spec.kind is float
    if spec.minimum is None and spec.maximum is None:
        return message
    if spec.kind is int:
        message.integer_range = [IntegerRange(
            from_value=int(_or(spec.minimum, -2 ** 63)),
            to_value=int(_or(spec.maximum, 2 ** 63 - 1)))]
    elif spec.kind is float:
        message.floating_point_range = [FloatingPointRange(
            from_value=float(_or(spec.minimum, -math.inf)),
            to_value=float(_or(spec.maximum, math.inf)))]
    return message


def declare(node, settings_class, prefix='', reconfigurable=False):
    """
    Declare every parameter of a group that is not declared yet.

    :param node: an rclpy node.
    :param settings_class: a class derived from `Settings`.
    :param prefix: '' or a name with a dot at its end.
    :param reconfigurable: see `descriptor`.
    """
    for spec in specs(settings_class):
        if not node.has_parameter(prefix + spec.name):
            node.declare_parameter(prefix + spec.name, spec.default,
                                   descriptor(spec, reconfigurable))


def read(node, settings_class, prefix='', changes=None):
    """
    Return the group's settings from the node's parameters.

    ROS declares them all with their defaults and does not say which were given. Where a preset
    has defaults of its own, those that have their plain one count as not given.

    :param changes: mapping of full name to a value not set yet, that replaces the node's.
    :raises SettingError: a value is not allowed.
    """
    changes, table = changes or {}, specs(settings_class)
    values = {spec.name: changes[name] if name in changes else node.get_parameter(name).value
              for spec in table for name in [prefix + spec.name]}
    if values.get('preset') in settings_class.presets:
        values = {spec.name: values[spec.name] for spec in table
                  if values[spec.name] != spec.default}
    return settings_class.parse(values)


def refuse_frozen(settings_class, changes, prefix=''):
    """
    Refuse changes of parameters that are read when the node is configured.

    :param changes: mapping of full name to value.
    :raises SettingError: naming the first one and the way to change it.
    """
    for spec in specs(settings_class):
        if prefix + spec.name in changes and not spec.live:
            raise SettingError(f'{prefix}{spec.name} is read when the node is configured; '
                               'deactivate and clean up the node, set it, configure again')


def _or(value, default):
    return default if value is None else value

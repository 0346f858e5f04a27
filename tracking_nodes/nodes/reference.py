"""
Write what users look up, docs/ and config/ of the tracker node and of each tracker, from the code.

Run `python -m tracking_nodes.nodes.reference` in a checkout after a change; a test compares.
"""
import argparse
import inspect
from pathlib import Path
import textwrap
from typing import NamedTuple

from tracking_nodes.nodes.parameters import NodeSettings, READ_ONLY
from tracking_nodes.parameters import specs
from tracking_nodes.trackers import registry


class Topic(NamedTuple):
    """One row of the table of topics or services."""

    name: str
    interface: str
    qos: str
    meaning: str


SUBSCRIBED = (
    Topic('image', 'sensor_msgs/msg/Image', 'image_qos',
          'the camera; remap it: `-r image:=/camera/image`'),
    Topic('image/compressed', 'sensor_msgs/msg/CompressedImage', 'image_qos',
          'instead of `image`, see image_transport; the suffix is added after remapping'),
    Topic('camera_info', 'sensor_msgs/msg/CameraInfo', 'sensor data',
          'beside the camera topic after remapping: `/camera/camera_info` for `/camera/image`; '
          'for the markers'),
    Topic('~/init', 'vision_msgs/msg/Detection2D', 'reliable',
          'start on this box; its stamp is that of the image it was drawn on, 0 means the newest; '
          'its id names the target where max_targets is above 1'),
    Topic('~/forget', 'std_msgs/msg/String', 'reliable',
          'give up the target that is published under this id, as `~/stop` does for all'),
    Topic('candidates', 'vision_msgs/msg/Detection2DArray', 'sensor data',
          'boxes of a detector: they start a target, see candidates_policy, and confirm it, see '
          'candidates_confirm'),
    Topic('<image>_mouse_left', 'geometry_msgs/msg/Point', 'reliable',
          'clicks of rqt_image_view on the camera image: two opposite corners'),
    Topic('~/debug_image_mouse_left', 'geometry_msgs/msg/Point', 'reliable',
          'the same on the debug image'),
)
PUBLISHED = (
    Topic('~/detections', 'vision_msgs/msg/Detection2DArray', 'reliable',
          'one message for every image that is answered, under the header of the image; one '
          'detection of each target with class, score and an id: that it was given under, or a '
          'number that changes with each new target; none of a target that is lost'),
    Topic('~/predicted', 'vision_msgs/msg/Detection2DArray', 'reliable',
          'with compensation: the same detections, moved to where the targets are by now, under '
          'the stamp of that time; nothing without'),
    Topic('~/state', 'std_msgs/msg/String', 'latched',
          '`idle`, `tracking`, `uncertain` or `lost`, published when it changes; of several '
          'targets the first of `tracking`, `uncertain`, `lost` that holds for one'),
    Topic('~/vision_info', 'vision_msgs/msg/VisionInfo', 'latched',
          'method: the tracker; database_location: the parameter that holds the class'),
    Topic('~/debug_image', 'sensor_msgs/msg/Image', 'reliable',
          'the image with box, state and score; drawn only while somebody subscribes'),
    Topic('~/markers', 'visualization_msgs/msg/MarkerArray', 'reliable',
          'for RViz, in the optical frame of the camera: the box one metre before the camera, the '
          'rays through its centre and its corners, id and state, by camera_info or focal_length; '
          'made only while somebody subscribes'),
    Topic('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', 'reliable',
          'rates, latency percentiles, times by part, drops and faults by reason, age of the '
          'model, its updates done, skipped and failed, state, device, memory, last error; where '
          'max_targets is above 1, another status for each target'),
)
SERVICES = (
    Topic('~/reset', 'std_srvs/srv/Trigger', '',
          'forget all targets and wait for the next; init_box and candidates count again'),
    Topic('~/stop', 'std_srvs/srv/Trigger', '',
          'forget all targets and stay idle until `~/init`, two clicks, init_box or `~/reset`; '
          'candidates are ignored'),
    Topic('~/set_learning', 'std_srvs/srv/SetBool', '',
          'false freezes the online update, true resumes it; one that runs in the background is '
          'still taken over'),
)

_HEAD = """# The tracker node

Generated from the code by `python -m tracking_nodes.nodes.reference`; change it there.

    ros2 run tracking_nodes tracker_node --ros-args -r image:=/camera/image -p tracker:=edcf

A lifecycle node: configure checks the parameters, loads the tracker and warms it up, activate
subscribes and answers images, deactivate pauses and keeps the target, cleanup frees all memory.
With `autostart` (the default) it configures and activates itself.

Every answer carries the header of its image. When images come faster than the tracker answers,
the newest one wins and the others are counted in `/diagnostics`.

With `max_targets` above 1 the node follows several targets, each with a tracker of its own in the
same thread. A box on `~/init` with an id adds the target of that id or replaces it, and
`~/detections` holds it under this id. A box without an id, clicks, init_box and candidates mean
the one target without an id, as ever; the node gives it a number that no other target has.
`candidates_confirm` and `state_file` are about that target alone. An image is received and decoded
once for all targets, and what their trackers look at goes through the frozen network in one pass.
They learn one after the other in one thread. [What a target costs](performance.md).

With `compensation` the node also publishes `~/predicted`: the box extrapolated from the stamp of
its image to the node's clock at the moment of publishing, and stamped with that time. It is a
topic of its own because what matches answers with images goes by the stamp of `~/detections`. A
box is moved by compensation_limit at most, and its stamp is then that much after the image's;
where the clock and the stamps cannot be compared, it is that of the image and so is its stamp.
With `use_sim_time` the clock is that of the simulation. [What it is worth](latency.md).

The state is a plain string because vision_msgs has no message for it and a package of its own
messages would have to be built by everybody who listens. It is latched and published on change:
who comes late knows it at once, and per image the detections tell the same (no detection while
lost, the score otherwise). `tracking` becomes `uncertain` at a score below score_low and
`tracking` again from score_high on; lost_after doubtful images in a row make it `lost`.

Raw images of more than half a megabyte (640x480 in colour) are easily lost between two processes
on best effort, which is what cameras and this node use by default: Fast DDS cuts them up and its
shared memory holds half a megabyte. The node counts them (`dropped: lost_on_the_way`) and says
so. Reliable on both sides (`image_qos`) or compressed images lose none.

`<image>` stands for the camera's topic after remapping, `~` for the node's name. "Latched" is
reliable with transient local durability. The QoS of all topics can be changed by
`qos_overrides.<topic>.<subscription or publisher>.<policy>` parameters.
"""
_MARKS = """
Parameters marked *live* count from the next image on. The others are read when the node is
configured and can be set while it is unconfigured; those marked *at start* only before. The
tracker's own parameters are under its name, `edcf.<parameter>`.
"""
_YAML_HEAD = """# Parameters of the tracker node with their defaults, generated by
# python -m tracking_nodes.nodes.reference. The tracker's own are in config/<tracker>.yaml.
# [live]: counts from the next image on; [at start]: only read when the process starts; the
# others are read when the node is configured.
/**:
  ros__parameters:
"""
_TRACKER_HEAD = """# {name}

Generated from the code by `python -m tracking_nodes.nodes.reference`; change it there.

{text}

    ros2 run tracking_nodes tracker_node --ros-args -r image:=/camera/image -p tracker:={name}
    tracking_benchmark run --tracker {name} --out DIR SEQUENCE_OR_BAG...

## Parameters

`-p {name}.<parameter>:=<value>` sets one of the node, `--set <parameter>=<value>` one of the
benchmark, and `config/{name}.yaml` holds them all with their defaults. Parameters marked *live*
count from the next image on, the others are read when the node is configured.
{presets}
"""
_PRESETS = (
    'With `preset` at {name} other defaults count: {changes} ([the robust preset](../robust.md)). '
    'The node cannot tell a parameter at its plain default from one that was not given; the '
    "preset's counts for both.")
_TRACKER_YAML_HEAD = """# Parameters of the tracker {name} with their defaults, generated by
# python -m tracking_nodes.nodes.reference. Give it to the node beside tracker_node.yaml:
# --params-file config/tracker_node.yaml --params-file config/{name}.yaml
# [live]: counts from the next image on; the others are read when the node is configured.
/**:
  ros__parameters:
    tracker: '{name}'
    {name}:
"""


def documentation():
    """Return the text of docs/tracker_node.md."""
    parts = [_HEAD]
    for title, topics in (('Subscribed', SUBSCRIBED), ('Published', PUBLISHED)):
        parts.append(f'\n## {title}\n\n| topic | type | QoS | meaning |\n|---|---|---|---|\n')
        parts.extend(f'| `{row.name}` | `{row.interface}` | {row.qos} | {row.meaning} |\n'
                     for row in topics)
    parts.append('\n## Services\n\n| service | type | meaning |\n|---|---|---|\n')
    parts.extend(f'| `{row.name}` | `{row.interface}` | {row.meaning} |\n' for row in SERVICES)
    parts.append(f'\n## Parameters\n{_MARKS}\n{_table(NodeSettings)}')
    return ''.join(parts)


def configuration():
    """Return the text of config/tracker_node.yaml."""
    return _YAML_HEAD + _defaults(NodeSettings, indent=4)


def tracker_documentation(name):
    """Return the text of docs/trackers/<name>.md."""
    cls = registry.tracker_class(name)
    text = inspect.getdoc(inspect.getmodule(cls))
    presets = [_PRESETS.format(name=preset, changes=', '.join(
        f'`{key}` `{_yaml(value)}`' for key, value in changes.items()))
        for preset, changes in cls.settings_class.presets.items() if changes]
    presets = ''.join(f'\n{textwrap.fill(each, 99)}\n' for each in presets)
    return _TRACKER_HEAD.format(name=name, text=text, presets=presets) + _table(cls.settings_class)


def tracker_configuration(name):
    """Return the text of config/<name>.yaml."""
    settings_class = registry.tracker_class(name).settings_class
    return _TRACKER_YAML_HEAD.format(name=name) + _defaults(settings_class, indent=6)


def files():
    """Return the texts of all generated files by their path in the checkout."""
    texts = {'docs/tracker_node.md': documentation(),
             'config/tracker_node.yaml': configuration()}
    for name in registry.names(own=True):
        if specs(registry.tracker_class(name).settings_class):
            texts[f'docs/trackers/{name}.md'] = tracker_documentation(name)
            texts[f'config/{name}.yaml'] = tracker_configuration(name)
    return texts


def allowed(spec):
    """Return a parameter's choices or range as text; '' where everything of the type is."""
    if spec.choices:
        return ', '.join(str(choice) for choice in spec.choices)
    if spec.minimum is None and spec.maximum is None:
        return ''
    low = 'any' if spec.minimum is None else f'{spec.minimum:g}'
    high = 'any' if spec.maximum is None else f'{spec.maximum:g}'
    return f'{low} to {high}'


def _table(settings_class):
    rows = [f'| `{spec.name}`{_mark(spec, " *{}*")} | `{_yaml(spec.default)}` | '
            f'{allowed(spec)} | {spec.meaning} | {spec.source} |\n'
            for spec in specs(settings_class)]
    return ('| parameter | default | allowed | meaning | source |\n|---|---|---|---|---|\n'
            + ''.join(rows))


def _defaults(settings_class, indent):
    lines = []
    for spec in specs(settings_class):
        limits = f' ({allowed(spec)})' if allowed(spec) else ''
        source = f'; source: {spec.source}' if spec.source else ''
        lines += [f'# {spec.meaning}{limits}{_mark(spec, " [{}]")}{source}',
                  f'{spec.name}: {_yaml(spec.default)}']
    return ''.join(f'{" " * indent}{line}\n' for line in lines)


def _mark(spec, form):
    if spec.name in READ_ONLY:
        return form.format('at start')
    return form.format('live') if spec.live else ''


def _yaml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    # YAML takes 1e-05 for a string.
    return str(value) if '.' in str(value) else str(value).replace('e', '.0e')


def main(args=None):
    """Write all files into a checkout."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--root', type=Path, default=Path.cwd(), help='folder of the checkout')
    root = parser.parse_args(args).root
    for name, text in files().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding='utf-8')
        print(f'wrote {root / name}')


if __name__ == '__main__':
    main()

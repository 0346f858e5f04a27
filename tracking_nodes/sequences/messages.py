"""
Ground truth and images as messages of a bag, without a ROS installation.

A frame's annotation is a vision_msgs/Detection2DArray, empty while the target is absent. Centre
and size do not always give back the last bit of a corner, and have no room for a polygon, so the
numbers themselves lie beside it as a std_msgs/Float64MultiArray: for each detection x, y, w, h,
and the eight coordinates of the polygon where there is one.
"""
from functools import lru_cache

import numpy as np
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

from tracking_nodes.geometry import cxcywh_to_xywh, xywh_to_cxcywh

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
DETECTIONS = 'vision_msgs/msg/Detection2DArray'
REGION = 'std_msgs/msg/Float64MultiArray'
STRING = 'std_msgs/msg/String'
# Of the only target of a video.
ONLY = '1'
FRAME_ID = 'camera'

# rosbags knows the common interfaces of a distribution, and vision_msgs is not among them.
VISION_MSGS = {
    'Point2D': 'float64 x\nfloat64 y',
    'Pose2D': 'vision_msgs/Point2D position\nfloat64 theta',
    'BoundingBox2D': 'vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y',
    'ObjectHypothesis': 'string class_id\nfloat64 score',
    'ObjectHypothesisWithPose': 'vision_msgs/ObjectHypothesis hypothesis\n'
                                'geometry_msgs/PoseWithCovariance pose',
    'Detection2D': 'std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n'
                   'vision_msgs/BoundingBox2D bbox\nstring id',
    'Detection2DArray': 'std_msgs/Header header\nvision_msgs/Detection2D[] detections',
}


@lru_cache(maxsize=None)
def typestore():
    """Return rosbags' type store of ROS 2 with vision_msgs 4 added."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    for name, definition in VISION_MSGS.items():
        store.register(get_types_from_msg(definition, f'vision_msgs/msg/{name}'))
    return store


def nanoseconds(stamp):
    """Return a message's stamp as int64 nanoseconds."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def make_image(image, stamp):
    """Return a bgr8 sensor_msgs/Image of an (H, W, 3) uint8 array and a stamp in nanoseconds."""
    height, width = image.shape[:2]
    return _new(IMAGE)(header=_header(stamp), height=height, width=width, encoding='bgr8',
                       is_bigendian=0, step=3 * width,
                       data=np.ascontiguousarray(image).reshape(-1))


def make_compressed(encoded, stamp):
    """Return a sensor_msgs/CompressedImage of an `EncodedImage` and a stamp in nanoseconds."""
    return _new(COMPRESSED)(header=_header(stamp), format=encoded.codec,
                            data=np.frombuffer(encoded.data, np.uint8))


def make_detections(box, stamp):
    """
    Return a Detection2DArray of a ground-truth box.

    :param box: (4,), x, y, w, h in pixels; NaN gives an array without detections.
    :param stamp: nanoseconds.
    """
    return make_targets({ONLY: box}, stamp)


def make_targets(boxes, stamp):
    """
    Return a Detection2DArray of the ground-truth boxes of several targets.

    :param boxes: {id: (4,)}, as `make_detections` takes them.
    :param stamp: nanoseconds.
    """
    return _new(DETECTIONS)(header=_header(stamp), detections=[
        _detection(name, box, stamp) for name, box in boxes.items() if np.isfinite(box).all()])


def make_region(box, polygon=None):
    """Return the exact numbers of an annotation, (4,) and (8,) or None, as one array."""
    return make_regions([(box, polygon)])


def make_regions(annotations):
    """
    Return the exact numbers of several annotations, in the order of their detections.

    :param annotations: list of box (4,) and polygon (8,) or None. Where one has a polygon, those
        without have NaN in its place, so that all are of one length.
    """
    known = [(box, polygon) for box, polygon in annotations if np.isfinite(box).all()]
    whole = [polygon is not None and np.isfinite(polygon).all() for _, polygon in known]
    rows = [box if not any(whole) else np.concatenate([box, polygon if drawn else [np.nan] * 8])
            for (box, polygon), drawn in zip(known, whole)]
    return _new(REGION)(layout=_new('std_msgs/msg/MultiArrayLayout')(dim=[], data_offset=0),
                        data=np.concatenate([*rows, np.zeros(0)]))


def make_string(text):
    """Return a std_msgs/String."""
    return _new(STRING)(data=text)


def detection_box(detection):
    """
    Return the box of a Detection2D.

    :param detection: object with the fields of vision_msgs/Detection2D.
    :return: (4,), x, y, w, h in pixels; of a turned box, the upright one around it.
    """
    pose, size = detection.bbox.center, np.array([detection.bbox.size_x, detection.bbox.size_y])
    if pose.theta:
        cos, sin = abs(np.cos(pose.theta)), abs(np.sin(pose.theta))
        size = np.array([[cos, sin], [sin, cos]]) @ size
    return cxcywh_to_xywh([pose.position.x, pose.position.y, *size])


def detection_score(detection):
    """Return the best score of a Detection2D's hypotheses, NaN when it has none."""
    return max((result.hypothesis.score for result in detection.results), default=np.nan)


def _new(name):
    return typestore().types[name]


def _header(stamp):
    seconds, rest = divmod(int(stamp), 1_000_000_000)
    time = _new('builtin_interfaces/msg/Time')(sec=seconds, nanosec=rest)
    return _new('std_msgs/msg/Header')(stamp=time, frame_id=FRAME_ID)


def _detection(name, box, stamp):
    """Return the Detection2D of a target's box."""
    x, y, width, height = (float(value) for value in xywh_to_cxcywh(box))
    point, pose = _new('vision_msgs/msg/Point2D'), _new('vision_msgs/msg/Pose2D')
    return _new('vision_msgs/msg/Detection2D')(
        header=_header(stamp), results=[_certain()], id=name,
        bbox=_new('vision_msgs/msg/BoundingBox2D')(
            center=pose(position=point(x=x, y=y), theta=0.0), size_x=width, size_y=height))


def _certain():
    """Return the hypothesis of a ground-truth box: the target, with score 1."""
    pose = _new('geometry_msgs/msg/PoseWithCovariance')(
        pose=_new('geometry_msgs/msg/Pose')(
            position=_new('geometry_msgs/msg/Point')(x=0.0, y=0.0, z=0.0),
            orientation=_new('geometry_msgs/msg/Quaternion')(x=0.0, y=0.0, z=0.0, w=1.0)),
        covariance=np.zeros(36))
    return _new('vision_msgs/msg/ObjectHypothesisWithPose')(
        hypothesis=_new('vision_msgs/msg/ObjectHypothesis')(class_id='target', score=1.0),
        pose=pose)

"""What the markers know of the camera: camera_info, scaled and undistorted, else focal_length."""
import cv2
from node_harness import Bench, wait
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo

from tracking_nodes.nodes.camera_model import camera_info_topic, CameraModel, is_rectified

from visualization_msgs.msg import Marker, MarkerArray

MATRIX = [500.0, 0.0, 310.0, 0.0, 520.0, 250.0, 0.0, 0.0, 1.0]
PROJECTION = [480.0, 0.0, 320.0, 0.0, 0.0, 480.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
PIXELS = [(100.0, 60.0), (320.0, 240.0), (600.0, 430.0)]


def info(model='plumb_bob', distortion=(), **changes):
    """Return the calibration of a 640x480 camera."""
    return CameraInfo(**{'width': 640, 'height': 480, 'k': MATRIX, 'p': PROJECTION,
                         'distortion_model': model, 'd': list(distortion), **changes})


def seen_again(rays, distortion):
    """Return the pixels that OpenCV projects points at the ends of rays to."""
    points = np.column_stack([rays, np.ones(len(rays))])
    return cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.reshape(MATRIX, (3, 3)),
                             np.array(distortion))[0][:, 0]


def test_without_calibration_the_focal_length_counts_and_by_default_the_width():
    for camera, focal in ((CameraModel.of((640, 480)), 640),
                          (CameraModel.of((640, 480), 800.0), 800),
                          (CameraModel.of((640, 480), 800.0, info(k=[0.0] * 9)), 800)):
        np.testing.assert_allclose(camera.rays([(420, 140)]), [[100 / focal, -100 / focal]])


@pytest.mark.parametrize('distortion', [
    (), (0.1, -0.05, 0.001, 0.002, 0.01), (0.1, -0.05, 0.001, 0.002, 0.01, 0.02, 0.01, 0.003)])
def test_rays_project_back_onto_their_pixels(distortion):
    model = 'rational_polynomial' if len(distortion) == 8 else 'plumb_bob'
    rays = CameraModel.of((640, 480), info=info(model, distortion)).rays(PIXELS)
    np.testing.assert_allclose(seen_again(rays, distortion), PIXELS, atol=0.2)


def test_fisheye_rays_project_back_onto_their_pixels():
    distortion = (0.05, 0.01, -0.002, 0.001)
    rays = CameraModel.of((640, 480), info=info('equidistant', distortion)).rays(PIXELS)
    points = np.column_stack([rays, np.ones(len(rays))]).reshape(-1, 1, 3)
    back, _ = cv2.fisheye.projectPoints(points, np.zeros(3), np.zeros(3),
                                        np.reshape(MATRIX, (3, 3)), np.array(distortion))
    np.testing.assert_allclose(back[:, 0], PIXELS, atol=0.1)


def test_a_smaller_image_of_the_same_camera_has_the_same_rays():
    full = CameraModel.of((640, 480), info=info()).rays(PIXELS)
    half = CameraModel.of((320, 240), info=info()).rays(np.array(PIXELS) / 2)
    np.testing.assert_allclose(half, full)


def test_rectified_images_take_the_projection_matrix_and_no_distortion():
    camera = CameraModel.of((640, 480), info=info(distortion=(0.3, 0.1, 0, 0, 0)), rectified=True)
    np.testing.assert_allclose(camera.rays([(800, 240)]), [[1, 0]])


def test_camera_info_lies_beside_the_image_and_rectified_images_are_known_by_name():
    assert camera_info_topic('/camera/left/image_raw') == '/camera/left/camera_info'
    assert camera_info_topic('/image') == '/camera_info'
    assert is_rectified('/camera/image_rect_color') and not is_rectified('/rect/image_raw')


def test_markers_follow_camera_info_over_dds_and_a_broken_one_is_refused_in_words():
    with Bench(init_box='100, 60, 40, 20') as bench:
        markers = []
        bench.client.create_subscription(MarkerArray, '/tracker/markers', markers.append, 10)
        camera = bench.publisher(CameraInfo, '/camera_info')
        wait(lambda: bench.client.count_publishers('/tracker/markers'))
        camera.publish(info(k=[160.0, 0, 0, 0, 160, 0, 0, 0, 1], width=320, height=240))
        wait(lambda: bench.node._images._camera_info)
        camera.publish(info(distortion=(0.1, 0.2, 0.3)))
        bench.diagnosed(lambda level, words, _: '/camera_info' in words)
        bench.ask(1)
        outline, ray, text, frustum = wait(lambda: markers and markers[-1]).markers
    corners = [(100 / 160, 60 / 160), (140 / 160, 60 / 160), (140 / 160, 80 / 160),
               (100 / 160, 80 / 160)]
    assert outline.type == Marker.LINE_STRIP and frustum.type == Marker.LINE_LIST
    np.testing.assert_allclose([(point.x, point.y) for point in outline.points[:4]], corners)
    np.testing.assert_allclose((ray.points[1].x, ray.points[1].y), (120 / 160, 70 / 160))
    assert [(point.x, point.y, point.z) for point in frustum.points[::2]] == [(0, 0, 0)] * 4
    np.testing.assert_allclose([(point.x, point.y) for point in frustum.points[1::2]], corners)
    assert text.text == '#1 tracking'
    assert len({marker.id for marker in (outline, ray, text, frustum)}) == 4

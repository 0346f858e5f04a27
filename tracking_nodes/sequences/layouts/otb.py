"""
OTB: `img/` and `groundtruth_rect.txt`, or one such file per target; pixels from 1.

Yi Wu, Jongwoo Lim, Ming-Hsuan Yang, "Object Tracking Benchmark", TPAMI 2015, and its toolkit.
"""
from tracking_nodes.sequences.ground_truth import read_ground_truth
from tracking_nodes.sequences.layouts.layout import (annotated_sequence, find_images, Layout,
                                                     read_attribute_flags, read_words)
from tracking_nodes.sequences.layouts.otb_lists import OTB_ATTRIBUTES, OTB_VIDEOS
from tracking_nodes.sequences.lazy import LazySequence

# Number of the first evaluated image, where the official archive holds earlier ones.
FIRST_IMAGE = {'BlurCar1': 247, 'BlurCar3': 3, 'BlurCar4': 18, 'David': 300, 'Tiger1': 6}
# Where its file has a line for every image, those before the first evaluated one too.
TIGER1_LINES = 354


def find_otb(folder):
    """Return a sequence per target: of Jogging, `Jogging.1` and `Jogging.2`."""
    sequences = []
    for file in sorted(folder.glob('groundtruth_rect*.txt')):
        # The archive of Human4 has an empty file for a target that was given up.
        if file.stat().st_size < 4 and not file.read_bytes().strip():
            continue
        name = folder.name + file.stem[len('groundtruth_rect'):]
        sequences.append(LazySequence(name, file, _read_otb, name, file))
    return sequences


def _read_otb(name, file):
    folder = file.parent
    files, truth = find_images(folder), read_ground_truth(file, origin=1)
    if folder.name == 'Tiger1' and len(truth) == TIGER1_LINES:
        truth = truth.part(FIRST_IMAGE['Tiger1'] - 1)
    # Archives that were cut to the evaluated images may have numbered them anew.
    if len(files) > len(truth):
        first = FIRST_IMAGE.get(folder.name, 0)
        files = [image for image in files
                 if not image.stem.isdigit() or int(image.stem) >= first]
    return annotated_sequence(name, files, truth, attributes=_attributes(folder))


def _attributes(folder):
    """Return the attributes from the archive, from the toolkit's flags, or as published."""
    if (folder / 'attrs.txt').exists():
        return read_words(folder / 'attrs.txt')
    for place in (folder.parent / 'att', folder.parent / 'anno' / 'att'):
        flags = read_attribute_flags(place / f'{folder.name}.txt', OTB_ATTRIBUTES)
        if flags:
            return flags
    video = OTB_VIDEOS.get(folder.name)
    return video.attributes if video else ()


OTB = Layout('otb', 'OTB: img/, groundtruth_rect*.txt, attrs.txt',
             lambda folder: any(folder.glob('groundtruth_rect*.txt')), find_otb)

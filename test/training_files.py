"""Small folders to train on, written by the tests of the training commands."""
import cv2
import numpy as np

from tracking_nodes.sequences.synthetic import SyntheticSequence


def write_sequences(folder, count, frames=12):
    """Write tiny videos with ground truth, each in a folder of its own."""
    for seed in range(count):
        sequence = SyntheticSequence(frames, seed=seed)
        clip = folder / f'clip{seed}'
        clip.mkdir(parents=True)
        for number, image in enumerate(sequence.images()):
            cv2.imwrite(str(clip / f'{number:04}.jpg'), image)
        np.savetxt(clip / 'groundtruth.txt', sequence.boxes, delimiter=',')


def write_stills(folder):
    """Write one masked picture and one background."""
    random = np.random.default_rng(0)
    for name in ('masked/images', 'masked/masks', 'stills'):
        (folder / name).mkdir(parents=True)
    picture = cv2.resize(random.integers(0, 256, (12, 12, 3), dtype=np.uint8), (160, 160))
    mask = np.zeros((160, 160), np.uint8)
    mask[40:110, 30:120] = 1
    cv2.imwrite(str(folder / 'masked' / 'images' / 'a.jpg'), picture)
    cv2.imwrite(str(folder / 'masked' / 'masks' / 'a.png'), mask)
    cv2.imwrite(str(folder / 'stills' / 'b.jpg'), picture)

"""Small sequences as the benchmarks lay them out, written by the tests of their readers."""
import cv2
import numpy as np

BOXES = ['3,4,10,12', '4,5,10,12', '5,6,11,13']
ZERO_BASED = [[3, 4, 10, 12], [4, 5, 10, 12], [5, 6, 11, 13]]
ONE_BASED = [[2, 3, 10, 12], [3, 4, 10, 12], [4, 5, 11, 13]]
ABSENT = [np.nan] * 4


def picture(number):
    """Return a picture whose grey says its number."""
    return np.full((24, 32, 3), 10 * (number % 25), np.uint8)


def write_images(folder, count=3, first=1, pattern='{:04d}.jpg'):
    """Write numbered pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        assert cv2.imwrite(str(folder / pattern.format(number)), picture(number))


def write_text(file, lines):
    """Write lines to a file, with its folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('\n'.join(lines) + '\n')


def write_video(file, count=6):
    """Write a lossless video of numbered pictures at 25 Hz."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*'FFV1'), 25.0, (32, 24))
    assert writer.isOpened()
    for number in range(1, count + 1):
        writer.write(picture(number))
    writer.release()


def write_otb(folder, boxes=BOXES, images=None):
    """Write an OTB sequence folder."""
    write_images(folder / 'img', len(boxes) if images is None else images)
    write_text(folder / 'groundtruth_rect.txt', boxes)


def write_clips(folder, clips):
    """Write `Sequence`s in the layout of OTB, without loss."""
    for clip in clips:
        (folder / clip.name / 'img').mkdir(parents=True)
        for index, image in enumerate(clip.images()):
            cv2.imwrite(str(folder / clip.name / 'img' / f'{index + 1:04d}.png'), image)
        np.savetxt(folder / clip.name / 'groundtruth_rect.txt', clip.boxes + [1, 1, 0, 0],
                   fmt='%.4f', delimiter=',')


def write_uav(root):
    """Write UAV123 and UAV20L: two parts of a flight in one, the whole flight in the other."""
    write_images(root / 'data_seq' / 'UAV123' / 'bike1', pattern='{:06d}.jpg')
    write_images(root / 'data_seq' / 'UAV123' / 'bird1', count=8, pattern='{:06d}.jpg')
    for name in ('bike1', 'bird1_1', 'bird1_2'):
        write_text(root / 'anno' / 'UAV123' / f'{name}.txt', BOXES)
        write_text(root / 'anno' / 'UAV123' / 'att' / f'{name}.txt', ['1,0,1' + 9 * ',0'])
    write_text(root / 'anno' / 'UAV20L' / 'bird1.txt', BOXES * 2)
    line = ("struct('name','{}','path','..\\..\\data_seq\\UAV123\\bird1\\','startFrame',{},"
            "'endFrame',{},'nz',6,'ext','jpg','init_rect',[0,0,0,0]),...")
    write_text(root / 'configSeqs.m', [line.format('bird1_1', 1, 3), line.format('bird1_2', 5, 7),
                                       line.format('bird1', 1, 8)])


def numbers(sequence):
    """Return the numbers that the pictures of a sequence show."""
    return [int(round(image.mean() / 10)) for image in sequence.images()]

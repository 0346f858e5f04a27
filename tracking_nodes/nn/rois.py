"""What boxes enclose on the maps of a backbone, by RoIAlign."""
from torchvision.ops import roi_align


def pool_rois(maps, boxes, stride, offset, cells, samples):
    """
    Return what boxes enclose on the maps of some images.

    :param maps: (N, C, H, W), in half precision too.
    :param boxes: list of (P, 4), one for each image: left, top, right, bottom in pixels.
    :param stride: of the maps, see `nn.backbones.Backbone`.
    :param offset: of the maps.
    :param cells: per side.
    :param samples: points per side of a cell whose mean it is.
    :return: (sum of P, C, cells, cells); zero beyond the maps.
    """
    # It has no kernel for half precision on every device.
    maps = full(maps)
    placed = [((rows - offset) / stride + 0.5).to(maps) for rows in boxes]
    return roi_align(maps, placed, cells, aligned=True, sampling_ratio=samples)


def full(values):
    """Return values of half precision in full, others as they are."""
    return values.float() if values.dtype.itemsize == 2 else values

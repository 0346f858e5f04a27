"""
Teaching VGG-M's conv3 to imitate an ImageNet ResNet-18, channel by channel.

Both networks have maps of stride 16, and a square cut at `CUT` of the student's image puts the
receptive fields of conv3 and of the teacher's cells on the same centres. The 512 channels of
conv3 have one target each: 128 of layer2 at the cell's centre, 128 of layer2 half a cell
further (layer2 has twice the resolution), 256 of layer3.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from tracking_nodes.nn.plain import use_constant_norms

FIRST_CELL = 3      # the teacher's cells 0..2 are left out: nearest to its zero padding
CUT = 11            # pixels; conv3's cell 0 has its centre at 37.5, the teacher's cell 3 at 48.5


def teacher_maps(teacher, squares, batch=16):
    """
    Return the targets of conv3 on every square.

    :param teacher: the ResNet-18 `Backbone`.
    :param squares: (N, S, S, 3) uint8, BGR, S a multiple of 16.
    :param batch: squares at a time.
    :return: (N, cells, cells, 512) bfloat16, for the square cut by `student_input`.
    """
    maps = []
    for start in tqdm(range(0, len(squares), batch), desc='teacher', unit='batch'):
        images = as_images(squares[start:start + batch])
        with torch.inference_mode(), torch.autocast('cpu', dtype=torch.bfloat16):
            layer2, layer3 = teacher(images, ['layer2', 'layer3'])
        cells = slice(FIRST_CELL, layer3.shape[2] - 2)
        target = torch.cat([layer2[:, :, 0::2, 0::2], layer2[:, :, 1::2, 1::2], layer3], dim=1)
        target = target[:, :, cells, cells].permute(0, 2, 3, 1)
        maps.append(target.to(torch.bfloat16).contiguous())
    return torch.cat(maps)


def student_input(squares):
    """Return the part of squares (N, S, S, 3) whose conv3 cells are the teacher's, as images."""
    end = squares.shape[1] - CUT + 1
    return as_images(squares[:, CUT:end, CUT:end])


def as_images(squares):
    """Return (N, S, S, 3) uint8 as (N, 3, S, S) float, channels last in memory."""
    return torch.from_numpy(np.ascontiguousarray(squares)).permute(0, 3, 1, 2).float()


class Student(nn.Module):
    """
    VGG-M as it is trained: conv3 before its ReLU, in units of each channel's spread.

    Its norms are constants, see `plain.ConstantNorm`.
    """

    def __init__(self, backbone, spread):
        """
        Take over a backbone.

        :param backbone: a VGG-M `Backbone`; its parameters are trained.
        :param spread: (512,) standard deviation of each target channel.
        """
        super().__init__()
        self.backbone = backbone.requires_grad_(True)
        use_constant_norms(backbone.stages)
        self.register_buffer('spread', spread)

    def forward(self, images):
        """Return (N, cells, cells, 512) for (N, 3, H, W) images, BGR 0..255."""
        maps = self.backbone.normalise(images)
        for name, stage in self.backbone.stages.items():
            maps = stage[:-1](maps) if name == 'conv3' else stage(maps)
        return maps.permute(0, 2, 3, 1)

    def finished_tensors(self):
        """Return the weights by file name, in half precision, on the teacher's scale."""
        tensors = {name: tensor.clone() for name, tensor in self.backbone.file_tensors().items()}
        tensors['conv3.weight'] *= self.spread[:, None, None, None]
        tensors['conv3.bias'] *= self.spread
        return {name: tensor.half().contiguous() for name, tensor in tensors.items()}


def take_first_filters(backbone, teacher):
    """Start from the teacher's 64 filters of 7x7: same size, stride and preprocessing."""
    own, given = backbone.stages['conv1'].conv, teacher.stages['conv1'].conv
    with torch.no_grad():
        own.weight[:len(given.weight)] = given.weight
        own.bias[:len(given.bias)] = given.bias


def imitation_loss(raw, target):
    """
    Return the mean squared error of ReLU maps, with a gradient where the student is silent.

    :param raw: (..., C) student before its ReLU, in units of the channels' spread.
    :param target: (..., C) teacher after its ReLU, in the same units.
    """
    return torch.where(target > 0, raw - target, torch.relu(raw)).square().mean()


def explained(raw, target):
    """
    Return the share of each channel's variance that relu(raw) explains, (C,).

    :param raw: (..., C), as in `imitation_loss`.
    :param target: (..., C); in its units the variance is 1.
    """
    return 1 - (torch.relu(raw) - target).square().flatten(0, -2).mean(dim=0)


def disturb(images, generator):
    """
    Change colour, brightness and sharpness of each image as cameras and small targets do.

    :param images: (N, 3, H, W) float, BGR 0..255.
    :param generator: `torch.Generator` of all draws.
    :return: images of the same shape, within 0..255.
    """
    count, _, height, width = images.shape

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(count, *shape, 1, 1, generator=generator)

    grey = images.mean(dim=1, keepdim=True)
    colour = (uniform(0, 1, 1) > 0.15).float() * uniform(0.5, 1.0, 1)
    images = grey + colour * (images - grey)
    level = images.mean(dim=(2, 3), keepdim=True)
    images = level + uniform(0.6, 1.3, 1) * (images - level)
    images = images * uniform(0.9, 1.1, 3) + uniform(-25, 25, 1)
    blurred = torch.rand(count, generator=generator) < 0.3
    if blurred.any():
        factor = 1.5 + 2.5 * torch.rand(1, generator=generator).item()
        small = functional.interpolate(images[blurred], scale_factor=1 / factor, mode='bilinear',
                                       antialias=True)
        images[blurred] = functional.interpolate(small, (height, width), mode='bilinear')
    return images.clamp(0, 255)

"""RoIAlign as products of matrices: the numbers and gradients of torchvision's loops."""
import torch
from torchvision.ops import roi_align

from tracking_nodes.nn.rois import pool_rois, shares

# Inside, across every border, beyond them, larger than the map, smaller than a cell.
BOXES = torch.tensor([[[20.0, 30, 60, 50], [-30, 10, 40, 60], [50, 40, 140, 130],
                       [-90, 0, -50, 9]],
                      [[30.0, -60, 50, 20], [-40, -40, 200, 200], [33, 41, 34, 42],
                       [0, 200, 20, 240]]])


def test_it_is_the_roi_align_of_torchvision():
    maps = torch.randn(2, 3, 9, 11, generator=torch.Generator().manual_seed(0)).double()
    maps.requires_grad_(True)
    found = pool_rois(maps, BOXES.double(), 8, 3.5, 5)
    placed = [(rows.double() - 3.5) / 8 + 0.5 for rows in BOXES]
    expected = roi_align(maps, placed, 5, aligned=True, sampling_ratio=2)
    torch.testing.assert_close(found, expected)
    assert (expected[3] == 0).all() and (expected[7] == 0).all() and (expected[0] != 0).all()
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(*(torch.autograd.grad((pooled * weights).sum(), maps)[0]
                                 for pooled in (found, expected)))


def test_shares_of_an_interval_inside_add_up_to_one_around_its_middle():
    found = shares(torch.tensor([[2.0]]), torch.tensor([[6.0]]), 4, 10)[0, 0]
    torch.testing.assert_close(found.sum(dim=1), torch.ones(4))
    torch.testing.assert_close(found @ torch.arange(10.0), torch.tensor([2.5, 3.5, 4.5, 5.5]))


def test_in_bfloat16_the_numbers_stay_close():
    maps = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    expected = pool_rois(maps, BOXES, 8, 3.5, 5)
    with torch.autocast('cpu', torch.bfloat16):
        found = pool_rois(maps, BOXES, 8, 3.5, 5)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.02, rtol=0)

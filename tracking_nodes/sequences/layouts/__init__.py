"""The layouts of the benchmarks, one module each, in the order in which they are tried."""
from tracking_nodes.sequences.layouts.got10k import GOT10K
from tracking_nodes.sequences.layouts.imagenet_vid import IMAGENET_VID
from tracking_nodes.sequences.layouts.lasot import LASOT
from tracking_nodes.sequences.layouts.mot import MOT
from tracking_nodes.sequences.layouts.otb import OTB
from tracking_nodes.sequences.layouts.plain import IMAGES, TLD, VIDEOS
from tracking_nodes.sequences.layouts.temple_color import TEMPLE_COLOR
from tracking_nodes.sequences.layouts.uav import UAV
from tracking_nodes.sequences.layouts.vot import VOT

# A layout whose files are part of another's comes after it.
LAYOUTS = (OTB, TEMPLE_COLOR, UAV, IMAGENET_VID, MOT, TLD, LASOT, GOT10K, VOT, VIDEOS, IMAGES)


def find_layout(folder, layouts=LAYOUTS):
    """Return the first of some layouts that a folder has, or None."""
    return next((layout for layout in layouts if layout.matches(folder)), None)

"""
The videos of OTB-2013, OTB-50 and OTB-2015 and their attributes, as published.

Lists and attributes are those of the toolkit's own pages (Wu, Lim, Yang, "Online Object Tracking:
A Benchmark", CVPR 2013, and "Object Tracking Benchmark", TPAMI 2015). Jogging and Skating2 count
twice, with two targets each: 51, 50 and 100 targets.
"""
from typing import NamedTuple

# In the order of the toolkit's files of flags, `att/<video>.txt`.
OTB_ATTRIBUTES = ('IV', 'OPR', 'SV', 'OCC', 'DEF', 'MB', 'FM', 'IPR', 'OV', 'BC', 'LR')


class Video(NamedTuple):
    """A video of OTB-2015: the sets that have it, beside that one, and its attributes."""

    sets: tuple
    attributes: tuple


# Video, the sets (13: OTB-2013, 50: OTB-50), attributes.
_TABLE = """
Basketball   13/50  IV OCC DEF OPR BC
Biker        --/50  SV OCC MB FM OPR OV LR
Bird1        --/50  DEF FM OV
Bird2        --/--  OCC DEF FM IPR OPR
BlurBody     --/50  SV DEF MB FM IPR
BlurCar1     --/--  MB FM
BlurCar2     --/50  SV MB FM
BlurCar3     --/--  MB FM
BlurCar4     --/--  MB FM
BlurFace     --/50  MB FM IPR
BlurOwl      --/50  SV MB FM IPR
Board        --/--  SV MB FM OPR OV BC
Bolt         13/50  OCC DEF IPR OPR
Bolt2        --/--  DEF BC
Box          --/50  IV SV OCC MB IPR OPR OV BC LR
Boy          13/--  SV MB FM IPR OPR
Car1         --/50  IV SV MB FM BC LR
Car2         --/--  IV SV MB FM BC
Car24        --/--  IV SV BC
Car4         13/50  IV SV
CarDark      13/50  IV BC
CarScale     13/50  SV OCC FM IPR OPR
ClifBar      --/50  SV OCC MB FM IPR OV BC
Coke         13/--  IV OCC FM IPR OPR BC
Couple       13/50  SV DEF FM OPR BC
Coupon       --/--  OCC BC
Crossing     13/--  SV DEF FM OPR BC
Crowds       --/50  IV DEF BC
Dancer       --/--  SV DEF IPR OPR
Dancer2      --/--  DEF
David        13/50  IV SV OCC DEF MB IPR OPR
David2       13/--  IPR OPR
David3       13/--  OCC DEF OPR BC
Deer         13/50  MB FM IPR BC LR
Diving       --/50  SV DEF IPR
Dog          --/--  SV DEF OPR
Dog1         13/--  SV IPR OPR
Doll         13/--  IV SV OCC IPR OPR
DragonBaby   --/50  SV OCC MB FM IPR OPR OV
Dudek        13/50  SV OCC DEF FM IPR OPR OV BC
FaceOcc1     13/--  OCC
FaceOcc2     13/--  IV OCC IPR OPR
Fish         13/--  IV
FleetFace    13/--  SV DEF MB FM IPR OPR
Football     13/50  OCC IPR OPR BC
Football1    13/--  IPR OPR BC
Freeman1     13/--  SV IPR OPR
Freeman3     13/--  SV IPR OPR
Freeman4     13/50  SV OCC IPR OPR
Girl         13/50  SV OCC IPR OPR
Girl2        --/--  SV OCC DEF MB OPR
Gym          --/--  SV DEF IPR OPR
Human2       --/--  IV SV MB OPR
Human3       --/50  SV OCC DEF OPR BC
Human4       --/50  IV SV OCC DEF
Human5       --/--  SV OCC DEF
Human6       --/50  SV OCC DEF FM OPR OV
Human7       --/--  IV SV OCC DEF MB FM
Human8       --/--  IV SV DEF
Human9       --/50  IV SV DEF MB FM
Ironman      13/50  IV SV OCC MB FM IPR OPR OV BC LR
Jogging      13/--  OCC DEF OPR
Jump         --/50  SV OCC DEF MB FM IPR OPR
Jumping      13/50  MB FM
KiteSurf     --/--  IV OCC IPR OPR
Lemming      13/--  IV SV OCC FM OPR OV
Liquor       13/50  IV SV OCC MB FM OPR OV BC
Man          --/--  IV
Matrix       13/50  IV SV OCC FM IPR OPR BC
Mhyang       13/--  IV DEF OPR BC
MotorRolling 13/50  IV SV MB FM IPR BC LR
MountainBike 13/--  IPR OPR BC
Panda        --/50  SV OCC DEF IPR OPR OV LR
RedTeam      --/50  SV OCC IPR OPR LR
Rubik        --/--  SV OCC IPR OPR
Shaking      13/50  IV SV IPR OPR BC
Singer1      13/--  IV SV OCC OPR
Singer2      13/50  IV DEF IPR OPR BC
Skater       --/--  SV DEF IPR OPR
Skater2      --/--  SV DEF FM IPR OPR
Skating1     13/50  IV SV OCC DEF OPR BC
Skating2     --/50  SV OCC DEF FM OPR
Skiing       13/50  IV SV DEF IPR OPR
Soccer       13/50  IV SV OCC MB FM IPR OPR BC
Subway       13/--  OCC DEF BC
Surfer       --/50  SV FM IPR OPR LR
Suv          13/--  OCC IPR OV
Sylvester    13/50  IV IPR OPR
Tiger1       13/--  IV OCC DEF MB FM IPR OPR
Tiger2       13/50  IV OCC DEF MB FM IPR OPR OV
Toy          --/--  SV FM IPR OPR
Trans        --/--  IV SV OCC DEF
Trellis      13/50  IV SV IPR OPR BC
Twinnings    --/--  SV OPR
Vase         --/--  SV FM IPR
Walking      13/50  SV OCC DEF
Walking2     13/50  SV OCC LR
Woman        13/50  IV SV OCC DEF MB FM OPR
"""


def _parse(line):
    name, sets, *attributes = line.split()
    return name, Video(tuple(sets.split('/')), tuple(attributes))


OTB_VIDEOS = dict(_parse(line) for line in _TABLE.strip().splitlines())
OTB_2013 = tuple(name for name, video in OTB_VIDEOS.items() if '13' in video.sets)
OTB_50 = tuple(name for name, video in OTB_VIDEOS.items() if '50' in video.sets)
OTB_2015 = tuple(OTB_VIDEOS)

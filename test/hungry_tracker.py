"""A test tracker whose GPU runs out of memory where and as often as it is told."""
from dataclasses import dataclass

from coded_images import read_code
from node_harness import FrameCodeSettings, FrameCodeTracker
import torch

from tracking_nodes.parameters import setting

FULL = 'CUDA out of memory. Tried to allocate 2.00 GiB.'


@dataclass(frozen=True)
class HungrySettings(FrameCodeSettings):
    """Where the memory runs out."""

    search_size: int = setting(128, 'only to be named', live=True)
    full_at: int = setting(-1, 'number of the frame', live=True)
    full_in: str = setting('locate', 'the call', live=True,
                           choices=('warm_up', 'start', 'locate', 'learn'))
    full_times: int = setting(1, 'how often in a row', live=True)


class HungryTracker(FrameCodeTracker):
    """Runs out of memory in a call, as often in a row for each frame as it is told."""

    settings_class = HungrySettings
    _failed = (None, 0)

    def warm_up(self, width=640, height=480):
        """Run out of memory if told so."""
        self._eat('warm_up', -1)

    def _eat(self, call, number):
        told, place = self.settings, (call, number)
        if (told.full_in, told.full_at) != place:
            return
        times = self._failed[1] if self._failed[0] == place else 0
        if times < told.full_times:
            self._failed = place, times + 1
            raise torch.cuda.OutOfMemoryError(FULL)

    def _start(self, image, box):
        self._eat('start', read_code(image)[0])
        super()._start(image, box)

    def _locate(self, image):
        self._eat('locate', read_code(image)[0])
        return super()._locate(image)

    def _learn(self):
        self._eat('learn', self._number)
        return super()._learn()

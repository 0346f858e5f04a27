"""How long a GPU takes for what it is given, by events on its stream."""
import torch


class StreamClock:
    """
    Tells how long calls last that may return before a GPU has done what they ask of it.

    It has the methods of `trackers.stages.HostClock`.
    """

    def __init__(self, device):
        """
        Take the device.

        :param device: torch device, a GPU.
        """
        self._device = device

    def mark(self):
        """Return the moment in which all is done that the GPU was given so far in this thread."""
        return torch.cuda.current_stream(self._device).record_event(
            torch.cuda.Event(enable_timing=True))

    def seconds(self, begin, end):
        """Return the seconds from one `mark` to another, and wait for the later one."""
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

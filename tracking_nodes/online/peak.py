"""The maxima of response maps, to fractions of a cell; found where the maps are."""
import torch


def peak_at(responses):
    """
    Return where the largest of several response maps has its maximum.

    A parabola through the maximum and its neighbours, down and across, gives the fraction.

    :param responses: (N, H, W) tensor.
    :return: index of the map, () int64, and (down, across) in cells, (2,) float64, both on the
        device of the maps.
    """
    place = responses.argmax()
    return place // responses[0].numel(), _refined(responses, place)


def peaks_of(responses):
    """
    Return where each of several response maps has its maximum, as `peak_at`.

    :param responses: (N, H, W) tensor.
    :return: (N, 2) down and across in cells, float64, on its device.
    """
    first = torch.arange(len(responses), device=responses.device) * responses[0].numel()
    return _refined(responses, first + responses.flatten(1).argmax(dim=1))


def best_peaks(response, count, distance):
    """
    Return the highest maxima of one response map that are not next to each other.

    :param response: (H, W) tensor.
    :param count: how many.
    :param distance: cells, across and down, within which a lower one is no maximum of its own.
    :return: places (count, 2), down and across in cells, and heights (count,), the highest first,
        both float64 on the device of the map; a height of -inf says that there is no more.
    """
    left, places, heights = response, [], []
    rows, columns = (torch.arange(side, device=response.device) for side in response.shape)
    for _ in range(count):
        place = left.argmax()
        places.append(place)
        heights.append(left.max())
        down, across = rows - place // len(columns), columns - place % len(columns)
        near = (down.abs() <= distance)[:, None] & (across.abs() <= distance)
        left = left.masked_fill(near, -torch.inf)
    return _refined(response[None], torch.stack(places)), torch.stack(heights).double()


def _refined(responses, places):
    """
    Return maxima to fractions of a cell.

    :param responses: (N, H, W).
    :param places: (...) int64, of the maxima in the flattened maps.
    :return: (..., 2) down and across, float64.
    """
    height, width = responses.shape[1:]
    flat = responses.flatten()
    steps = torch.arange(-1, 2, device=flat.device)

    def along(cells, length, stride):
        # What lies beyond a map is read, but does not count.
        around = (places[..., None] + steps * stride).clamp(0, len(flat) - 1)
        inside = (cells > 0) & (cells < length - 1)
        return cells + torch.where(inside, _vertex(flat.take(around).double()), 0.0)
    return torch.stack([along(places // width % height, height, width),
                        along(places % width, width, 1)], dim=-1)


def _vertex(values):
    """Return where parabolas through values (..., 3) at -1, 0, 1 peak, in [-0.5, 0.5]."""
    below, middle, above = values.unbind(dim=-1)
    bend = below - 2 * middle + above
    return torch.where(bend < 0, (0.5 * (below - above) / bend).clamp(-0.5, 0.5), 0.0)

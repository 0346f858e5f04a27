"""
The interval of sequence lengths over which VOT averages its expected overlap curve.

Kristan et al.: The Visual Object Tracking VOT2015 Challenge Results, 2015. The density of lengths
is estimated by Gaussian kernels, whose width minimises the asymptotic error for a second
derivative that is itself estimated (Kristan et al.: Multivariate online kernel density estimation
with Gaussian kernels, Pattern Recognition 2011; Wand and Jones: Kernel Smoothing, 1995). From its
highest point the interval then grows, frame by frame to the likelier side, until it holds half of
the density. The intervals that a year is known by are this of that year's sequences.
"""
import numpy as np

MASS = 0.5


def likely_lengths(lengths, mass=MASS):
    """
    Return the interval of a set of sequences.

    :param lengths: (S,) numbers of frames.
    :param mass: share of the density that the interval holds, of 1 frame to the longest sequence.
    :return: (low, high) in frames, both included, or None where all lengths are equal and there
        is no density.
    """
    lengths = np.asarray(lengths, dtype=np.float64)
    width = kernel_width(lengths)
    if not width > 0:
        return None
    frames = np.arange(1, int(lengths.max()) + 1)
    density = np.exp(-((frames[:, None] - lengths) / width) ** 2 / 2).sum(axis=1)
    density /= density.sum()
    low = high = int(np.argmax(density))
    while True:
        # The longest length is no step of its own in the toolkit, only with the shortest.
        left, right = low > 0, high + 2 < len(density)
        if not left and not right:
            return 1, len(density)
        if left and (not right or density[low - 1] > density[high + 1]):
            low -= 1
        else:
            high += 1
        if density[low:high + 1].sum() >= mass:
            return low + 1, high + 1


def kernel_width(lengths):
    """Return the standard deviation of the kernels in frames; 0 where all lengths are equal."""
    lengths = np.asarray(lengths, dtype=np.float64)
    spread, count = lengths.std(), len(lengths)
    if not spread:
        return 0.0
    # Width of the pilot kernels: what would be right if the lengths were normally distributed.
    pilot = (4 / (3 * count)) ** (1 / 5)
    apart = (lengths[:, None] - lengths) / spread / pilot
    fourth = np.exp(-apart ** 2 / 2) / np.sqrt(2 * np.pi) * (apart ** 4 - 6 * apart ** 2 + 3)
    curvature = fourth.mean() / pilot ** 5
    return float(spread * (1 / (2 * np.sqrt(np.pi) * count * curvature)) ** (1 / 5))

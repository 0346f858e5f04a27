"""What the heads of encoded images say of their size, before decoding costs the memory for it."""

JPEG_START = b'\xff\xd8'
PNG_START = b'\x89PNG\r\n\x1a\n'
# Start-of-frame markers; the three left out are tables.
_JPEG_FRAME_MARKERS = set(range(0xc0, 0xd0)) - {0xc4, 0xc8, 0xcc}
_TIFF_SHORT, _TIFF_WIDTH, _TIFF_HEIGHT = 3, 256, 257


def stated_size(data):
    """
    Return (width, height) of an encoded image in pixels, or None where it states none.

    :param data: bytes of a JPEG, PNG, BMP, WebP, TIFF, PGM or PPM image.
    """
    for start, read in _READERS.items():
        if data.startswith(start):
            return read(data)
    return None


def _png(data):
    return int.from_bytes(data[16:20], 'big'), int.from_bytes(data[20:24], 'big')


def _jpeg(data):
    place = len(JPEG_START)
    while place + 9 <= len(data) and data[place] == 0xff:
        marker, length = data[place + 1], int.from_bytes(data[place + 2:place + 4], 'big')
        if marker in _JPEG_FRAME_MARKERS:
            return (int.from_bytes(data[place + 7:place + 9], 'big'),
                    int.from_bytes(data[place + 5:place + 7], 'big'))
        # Any number of 0xff may fill the space before a marker.
        place += 1 if marker == 0xff else 2 + length
    return None


def _bmp(data):
    # A negative height says that the rows go from top to bottom.
    return tuple(abs(int.from_bytes(data[place:place + 4], 'little', signed=True))
                 for place in (18, 22))


def _webp(data):
    kind = data[12:16]
    if kind == b'VP8X':
        return tuple(1 + int.from_bytes(data[place:place + 3], 'little') for place in (24, 27))
    if kind == b'VP8L':
        bits = int.from_bytes(data[21:25], 'little')
        return 1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)
    if kind == b'VP8 ':
        return tuple(int.from_bytes(data[place:place + 2], 'little') & 0x3fff
                     for place in (26, 28))
    return None


def _tiff(data):
    order = 'little' if data.startswith(b'II') else 'big'

    def number(place, size):
        return int.from_bytes(data[place:place + size], order)

    directory, found = number(4, 4), {}
    for place in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        size = 2 if number(place + 2, 2) == _TIFF_SHORT else 4
        found.setdefault(number(place, 2), number(place + 8, size))
    sides = found.get(_TIFF_WIDTH), found.get(_TIFF_HEIGHT)
    return None if None in sides else sides


def _netpbm(data):
    words = [word for line in data[2:200].split(b'\n') for word in line.split(b'#')[0].split()]
    if len(words) < 2 or not (words[0].isdigit() and words[1].isdigit()):
        return None
    return int(words[0]), int(words[1])


_READERS = {JPEG_START: _jpeg, PNG_START: _png, b'BM': _bmp, b'RIFF': _webp,
            b'II*\0': _tiff, b'MM\0*': _tiff, b'P5': _netpbm, b'P6': _netpbm}

"""make_images.py DIGITS_CSV FOLDER: the digits example's images, enlarged to 28 × 28, in files like MNIST's.

Of every three images one goes into the files for testing, the others into those for learning.
"""

import gzip
import pathlib
import sys

SCALE, MARGIN, SIDE = 3, 2, 28


def enlarged(pixels):
    rows = []
    for y in range(8):
        row = bytes(min(255, 16 * p) for p in pixels[8 * y:8 * y + 8] for _ in range(SCALE))
        rows += [bytes(MARGIN) + row + bytes(MARGIN)] * SCALE
    empty = [bytes(SIDE)] * MARGIN
    return b"".join(empty + rows + empty)


def write(path, magic, shape, payload):
    header = b"".join(n.to_bytes(4, "big") for n in (magic, *shape))
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header + payload)


def main():
    folder = pathlib.Path(sys.argv[2])
    rows = [[int(n) for n in line.split(",")] for line in open(sys.argv[1])]
    for name, part in (("t10k", rows[::3]), ("train", rows[1::3] + rows[2::3])):
        write(folder / f"{name}-images-idx3-ubyte.gz", 0x803, (len(part), SIDE, SIDE), b"".join(enlarged(r[:64]) for r in part))
        write(folder / f"{name}-labels-idx1-ubyte.gz", 0x801, (len(part),), bytes(r[64] for r in part))


main()

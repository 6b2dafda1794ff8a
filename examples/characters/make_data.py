#!/usr/bin/env python3
"""make_data.py [FOLDER] [TEXT]: windows of a text as numbers, in learn_x.npy, learn_y.npy, check_x.npy, check_y.npy.

The text is by default the licence of this project. Every eighth block of 512 characters is for checking, in windows of 64
that don't overlap; the others are to learn from, in windows that do. y is x one character further on. Prints, for
comparison, the loss of a table that has counted which character follows which in what is learnt. Standard library only.
"""

import array
import collections
import math
import pathlib
import sys

BLOCK, WINDOW, LETTERS = 512, 64, 96


def number(letter):
    """Printable ASCII is 0 to 94, the end of a line 95; anything else counts as a question mark."""
    return 95 if letter == "\n" else ord(letter) - 32 if " " <= letter <= "~" else ord("?") - 32


def write_npy(path, rows):
    values = array.array("i", (n for row in rows for n in row))
    header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({len(rows)}, {WINDOW}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    if sys.byteorder == "big":
        values.byteswap()
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        values.tofile(file)


def pair_loss(learn, check):
    """Nats a character: what follows each, counted, with one more of each so that nothing is impossible."""
    pairs = collections.Counter(pair for block in learn for pair in zip(block, block[1:]))
    firsts = collections.Counter(n for block in learn for n in block[:-1])
    losses = [-math.log((pairs[a, b] + 1) / (firsts[a] + LETTERS)) for block in check for a, b in zip(block, block[1:])]
    return sum(losses) / len(losses)


def main():
    here = pathlib.Path(__file__).resolve().parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    text = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else here / "../../LICENSE"
    numbers = [number(letter) for letter in text.read_text(encoding="utf-8")]
    blocks = [numbers[start:start + BLOCK] for start in range(0, len(numbers) - WINDOW, BLOCK)]
    learn, check = [b for i, b in enumerate(blocks) if i % 8 != 7], blocks[7::8]
    for name, part, stride in (("learn", learn, 3), ("check", check, WINDOW)):
        pieces = [block[s:s + WINDOW + 1] for block in part for s in range(0, len(block) - WINDOW, stride)]
        write_npy(folder / f"{name}_x.npy", [piece[:-1] for piece in pieces])
        write_npy(folder / f"{name}_y.npy", [piece[1:] for piece in pieces])
        print(f"{folder}: {len(pieces)} windows of {WINDOW} characters in {name}_x.npy and {name}_y.npy")
    print(f"counting pairs of characters gives a loss of {pair_loss(learn, check):.3f}")


if __name__ == "__main__":
    main()

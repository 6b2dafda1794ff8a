#!/usr/bin/env python3
"""Makes texts.npy (f32[2500, 300]) and labels.npy (i32[2500]) in the given folder (default: here).

Invented reviews over an invented language. Each of 600 words has a random vector of 300 numbers and a
tone; good, bad and neutral words lie in different directions. A review of tone 0 to 4 draws 32 words, the
more from the good or the bad ones the stronger its tone, and is the mean of their vectors. Which words it
drew is chance, so neighbouring tones overlap and no classifier gets all of them right.
Standard library only; the same seed gives the same files.
"""

import array
import pathlib
import random
import sys

WORDS, WIDTH, REVIEWS, LENGTH = 600, 300, 2500, 32


def write_npy(path, dtype, shape, values):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    if sys.byteorder == "big":
        values.byteswap()
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        values.tofile(file)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/..").resolve()
    chance = random.Random(5)
    directions = [[chance.gauss(0, 0.5) for _ in range(WIDTH)] for _ in range(3)]
    words = [[chance.gauss(d, 1) for d in directions[w % 3]] for w in range(WORDS)]
    texts, labels = array.array("f"), array.array("i")
    for _ in range(REVIEWS):
        tone = chance.randrange(5)
        good, bad = 0.1 + 0.2 * tone, 0.9 - 0.2 * tone
        drawn = [chance.randrange(0, WORDS, 3) + kind
                 for kind in chance.choices((0, 1, 2), (good, bad, 0.3), k=LENGTH)]
        texts.extend(sum(column) / LENGTH for column in zip(*(words[w] for w in drawn)))
        labels.append(tone)
    write_npy(folder / "texts.npy", "<f4", (REVIEWS, WIDTH), texts)
    write_npy(folder / "labels.npy", "<i4", (REVIEWS,), labels)
    print(f"{folder}: {REVIEWS} reviews in texts.npy and labels.npy")


if __name__ == "__main__":
    main()

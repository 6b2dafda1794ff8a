#!/usr/bin/env python3
"""Makes sequences.csv in the given folder (default: here): 3,000 lines of 20 pairs and a sum.

A pair is a number from 0 to 1, and 1 if it is marked, else 0. One number in the first half of a sequence is marked and one in
the second; the last column is their sum. Standard library only; the same seed gives the same file.
"""

import pathlib
import random
import sys

LENGTH = 20


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/..").resolve()
    chance = random.Random(9)
    lines = []
    for _ in range(3000):
        numbers = [round(chance.random(), 4) for _ in range(LENGTH)]
        marked = chance.randrange(LENGTH // 2), chance.randrange(LENGTH // 2, LENGTH)
        pairs = [f"{n},{int(i in marked)}" for i, n in enumerate(numbers)]
        lines.append(",".join(pairs) + f",{sum(numbers[i] for i in marked):.4f}\n")
    (folder / "sequences.csv").write_text("".join(lines))
    print(f"{folder}: 3000 sequences in sequences.csv")


if __name__ == "__main__":
    main()

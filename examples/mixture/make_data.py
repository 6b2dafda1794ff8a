#!/usr/bin/env python3
"""Makes points.csv in the given folder (default: here): x,y; 5,120 points.

Each lies in one of eight clouds, whose middles stand evenly on a circle of radius 2, with a deviation of 0.08 in
both directions. Standard library only; the same seed gives the same file.
"""

import math
import pathlib
import random
import sys


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/..").resolve()
    chance = random.Random(4)
    lines = []
    for _ in range(5120):
        angle = chance.randrange(8) * math.pi / 4
        lines.append(f"{chance.gauss(2 * math.cos(angle), 0.08):.5f},{chance.gauss(2 * math.sin(angle), 0.08):.5f}\n")
    (folder / "points.csv").write_text("".join(lines))
    print(f"{folder}: 5120 points in points.csv")


if __name__ == "__main__":
    main()

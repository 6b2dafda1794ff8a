#!/usr/bin/env python3
"""Makes points.csv in the given folder (default: here): x,t; 1,280 places and times at which the equation is to hold.

They are drawn evenly from the unit square; nothing about the solution is among them. Standard library only; the
same seed gives the same file.
"""

import pathlib
import random
import sys


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/..").resolve()
    chance = random.Random(2)
    (folder / "points.csv").write_text("".join(f"{chance.random():.6f},{chance.random():.6f}\n" for _ in range(1280)))
    print(f"{folder}: 1280 points in points.csv")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""neighbours.py VOCABULARY_CSV VECTORS_CSV: prints the three nearest neighbours of every word, by the angle between
their vectors, and how often the nearest is of the word's own kind."""

import math
import sys


def main():
    vocabulary = [line.strip().split(",")[1:] for line in open(sys.argv[1])]
    vectors = [[float(x) for x in line.split(",")] for line in list(open(sys.argv[2]))[1:]]
    units = [[x / math.hypot(*v) for x in v] for v in vectors]
    right = 0
    for i, (word, kind) in enumerate(vocabulary):
        likeness = [sum(map(lambda a, b: a * b, units[i], u)) for u in units]
        near = sorted((j for j in range(len(units)) if j != i), key=lambda j: -likeness[j])[:3]
        right += vocabulary[near[0]][1] == kind
        print(f"{word:8} " + " ".join(f"{vocabulary[j][0]:8}" for j in near))
    print(f"nearest is of the same kind: {right} of {len(vocabulary)}")


if __name__ == "__main__":
    main()

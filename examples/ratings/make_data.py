#!/usr/bin/env python3
"""Makes ratings.csv in the given folder (default: here): person,film,rating; 24,000 lines.

Invented: 400 people and 300 films have four hidden traits each. A rating is 3, plus how kindly that person
rates, plus how good that film is, plus how well their traits agree, plus chance with a deviation of 0.3, which
nobody can foretell. Standard library only; the same seed gives the same file.
"""

import pathlib
import random
import sys

PEOPLE, FILMS, TRAITS, RATINGS = 400, 300, 4, 24000


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/..").resolve()
    chance = random.Random(11)
    people = [[chance.gauss(0, 0.6) for _ in range(TRAITS)] for _ in range(PEOPLE)]
    films = [[chance.gauss(0, 0.6) for _ in range(TRAITS)] for _ in range(FILMS)]
    kind = [chance.gauss(0, 0.4) for _ in range(PEOPLE)]
    good = [chance.gauss(0, 0.4) for _ in range(FILMS)]
    lines = []
    for pair in chance.sample(range(PEOPLE * FILMS), RATINGS):
        p, f = divmod(pair, FILMS)
        fit = sum(a * b for a, b in zip(people[p], films[f]))
        lines.append(f"{p},{f},{3 + kind[p] + good[f] + fit + chance.gauss(0, 0.3):.3f}\n")
    (folder / "ratings.csv").write_text("".join(lines))
    print(f"{folder}: {RATINGS} ratings in ratings.csv")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes a text and what is learnt from it in the given folder (default: here).

text.txt is 3,000 sentences by a small grammar of 68 words. pairs.csv has a line for every two words that stand within
two places of each other, as numbers: word,neighbour. vocabulary.csv numbers the words: number,word,kind. The kind is
for looking at the result; nothing is trained on it. Standard library only; the same seed gives the same files.
"""

import pathlib
import random
import sys

KINDS = {
    "animal": "cat dog fox goat hare mole otter wolf",
    "fruit": "apple cherry fig lemon melon pear plum quince",
    "tool": "axe chisel drill hammer plane rasp saw spade",
    "town": "bergen cork derby genoa lyon malmo porto turin",
    "person": "ada bela clara emil greta hugo ines otto",
    "colour": "black brown green red white yellow",
    "does": "hunts hides runs sleeps",
    "cooks": "bakes boils eats peels",
    "works": "grinds lends mends uses",
    "goes": "drives rides sails walks",
    "little": "the a near in from to",
}
SENTENCES = [
    "the colour animal does near town",
    "the animal does in town",
    "person cooks a colour fruit",
    "person cooks the fruit",
    "person works the tool in town",
    "person works a tool",
    "person goes from town to town",
    "a animal eats the fruit",
]


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/..").resolve()
    chance = random.Random(6)
    kinds = {kind: words.split() for kind, words in KINDS.items()}
    vocabulary = [(word, kind) for kind, words in kinds.items() for word in words]
    number = {word: i for i, (word, _) in enumerate(vocabulary)}
    text, pairs = [], []
    for _ in range(3000):
        sentence = [chance.choice(kinds.get(slot, [slot])) for slot in chance.choice(SENTENCES).split()]
        text.append(" ".join(sentence) + "\n")
        pairs += [f"{number[a]},{number[b]}\n" for i, a in enumerate(sentence)
                  for j, b in enumerate(sentence) if i != j and abs(i - j) <= 2]
    (folder / "text.txt").write_text("".join(text))
    (folder / "pairs.csv").write_text("".join(pairs))
    (folder / "vocabulary.csv").write_text("".join(f"{i},{w},{k}\n" for i, (w, k) in enumerate(vocabulary)))
    print(f"{folder}: {len(text)} sentences, {len(vocabulary)} words, {len(pairs)} pairs")


if __name__ == "__main__":
    main()

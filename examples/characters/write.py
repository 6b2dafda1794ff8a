#!/usr/bin/env python3
"""write.py PROGRAM CHECKPOINT [PROMPT] [CHARACTERS]: goes on writing after the prompt.

Runs `PROGRAM predict` on the last 64 characters, draws the next one from the probabilities that come out, and so on.
The same arguments give the same text. Standard library only.
"""

import array
import math
import pathlib
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing is left in the folder of the example

from make_data import LETTERS, WINDOW, number, write_npy

TEMPERATURE = 0.6   # below 1 what is likely becomes likelier


def logits(program, checkpoint, numbers, folder):
    """What may follow `numbers`. Later positions of the window are not looked at by earlier ones."""
    write_npy(folder / "prompt.npy", [numbers + [0] * (WINDOW - len(numbers))])
    subprocess.run([program, "predict", "--checkpoint", checkpoint, "--on", "prompt",
                    "--data", f"prompt.x={folder}/prompt.npy", "--output", f"{folder}/logits.npy"],
                   check=True, stderr=subprocess.DEVNULL)
    values = array.array("f")
    values.frombytes((folder / "logits.npy").read_bytes()[-4 * WINDOW * LETTERS:])
    return values[(len(numbers) - 1) * LETTERS:len(numbers) * LETTERS]


def main():
    program, checkpoint = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    prompt = sys.argv[3] if len(sys.argv) > 3 else "You may "
    chance = random.Random(1)
    numbers = [number(letter) for letter in prompt]
    print(prompt, end="")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(int(sys.argv[4]) if len(sys.argv) > 4 else 300):
            z = logits(program, checkpoint, numbers[-WINDOW:], pathlib.Path(folder))
            n, = chance.choices(range(LETTERS), [math.exp((v - max(z)) / TEMPERATURE) for v in z])
            numbers.append(n)
            print("\n" if n == 95 else chr(n + 32), end="", flush=True)
    print()


if __name__ == "__main__":
    main()

"""chain.py ROW FOLDER: prints the products and convolutions of a row's step, a line each, for primitives.cpp."""
import json
import pathlib
import sys

import numpy as np

from rows import ROWS
from words import chain

row = next(r for r in ROWS if r.id == sys.argv[1])
model = json.loads((pathlib.Path(sys.argv[2]) / "model.json").read_text())


def zeros(entry):
    return np.zeros(entry["shape"], np.int32 if entry["dtype"] == "i32" else np.float32)


for line in chain(row, {e["name"]: zeros(e) for e in model["parameters"]}, [zeros(e) for e in model["inputs"]]):
    print(*line)

"""Step 2: a row for each image, its 64 shades and its digit; half to learn from, half to judge by. The patients likewise."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 29


def shades(path: Path) -> np.ndarray:
    """The pixels of an image as `make_images.py` writes them: one IDAT chunk, no filters."""
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    rows = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + length]), np.uint8).reshape(height, width + 1)
    return rows[:, 1:] // 15


def split(table: pd.DataFrame, name: str) -> None:
    order = np.random.default_rng(SEED).permutation(len(table))
    half = len(table) // 2
    for part, rows in (("train", order[:half]), ("test", order[half:])):
        table.iloc[rows].to_csv(f"data/{name}-{part}.csv", index=False)


def main() -> None:
    Path("data").mkdir(exist_ok=True)
    paths = sorted(Path("images").iterdir())
    pixels = np.stack([shades(path).ravel() for path in paths])
    table = pd.DataFrame(pixels, columns=[f"p{n}" for n in range(pixels.shape[1])])
    table["digit"] = [int(path.stem.split("-")[1]) for path in paths]
    split(table, "digits")
    split(pd.read_csv("diabetes.csv"), "diabetes")
    print(f"{len(table)} images of {pixels.shape[1]} pixels")


if __name__ == "__main__":
    main()

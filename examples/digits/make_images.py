"""Step 1: the 1,797 handwritten digits of scikit-learn as PNG files, and its diabetes data as a table.

`images/0042-7.png` is image 42, on which somebody wrote a seven. Each pixel has one of 17 shades.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes, load_digits


def png(shades: np.ndarray) -> bytes:
    """A greyscale image of 8 bits (PNG specification, third edition)."""
    height, width = shades.shape
    rows = b"".join(b"\0" + row.tobytes() for row in (shades * 15).astype(np.uint8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def main() -> None:
    digits = load_digits()
    folder = Path("images")
    folder.mkdir(exist_ok=True)
    for number, (image, digit) in enumerate(zip(digits.images, digits.target)):
        (folder / f"{number:04}-{digit}.png").write_bytes(png(image))
    diabetes = load_diabetes(as_frame=True, scaled=False).frame
    diabetes.rename(columns={"target": "progression"}).to_csv("diabetes.csv", index=False)
    print(f"{len(digits.target)} images, {len(diabetes)} patients")


if __name__ == "__main__":
    main()

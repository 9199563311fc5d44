"""What this machine can do at best, in GB/s of weights: `limits.py FOLDER [--megabytes N]`; prints JSON.

The codec is what pays for weights: float32 cut into four byte planes, each compressed by zstd at level 1, on two cores.
"""

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import blake3
import numpy as np
import zstandard

SLICE = 1 << 20
CORES = 2


def seconds(act):
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def write(path, content):
    with open(path, "wb", buffering=0) as file:
        for start in range(0, len(content), 8 * SLICE):
            file.write(content[start : start + 8 * SLICE])
        os.fsync(file.fileno())


def read(path):
    buffer = bytearray(8 * SLICE)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def forget(path):
    """Out of the page cache, so that the next read is of the disk."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def compress(slices):
    compressor, stored = zstandard.ZstdCompressor(level=1), 0
    for piece in slices:
        planes = np.ascontiguousarray(piece.view(np.uint8).reshape(-1, 4).T)
        stored += sum(len(compressor.compress(plane)) for plane in planes)
    return stored


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=512)
    args = parser.parse_args()
    weights = np.random.default_rng(7).standard_normal(args.megabytes * 10**6 // 4, dtype=np.float32) * np.float32(0.02)
    raw, path = memoryview(weights).cast("B"), args.folder / "limits.bin"
    giga = len(raw) / 1e9
    slices = np.array_split(weights, len(raw) // SLICE + 1)
    halves = [slices[part::CORES] for part in range(CORES)]
    limits = {"disk_write_fsync": giga / seconds(lambda: write(path, raw))}
    limits["read_warm"] = giga / seconds(lambda: read(path))
    forget(path)
    limits["read_disk"] = giga / seconds(lambda: read(path))
    path.unlink()
    limits["blake3_1_core"] = giga / seconds(lambda: blake3.blake3(raw).digest())
    limits["blake3_2_cores"] = giga / seconds(lambda: blake3.blake3(raw, max_threads=CORES).digest())
    with ThreadPoolExecutor(CORES) as pool:
        limits["codec_2_cores"] = giga / seconds(lambda: limits.update(ratio=sum(pool.map(compress, halves)) / len(raw)))
    print(json.dumps({name: round(value, 3) for name, value in limits.items()}))


main()

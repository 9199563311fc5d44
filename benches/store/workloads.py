"""Makes the files of a workload's version, always the same ones, or says what lies in a folder.

    workloads.py make WORKLOAD VERSION FOLDER [--scale 0.02]
    workloads.py digest FOLDER

A version is made from the files of the version before it, which must lie in the folder, as training and appending
do. Both print JSON: number of files, bytes, and one digest over names and contents.
"""

import argparse
import json
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import blake3
import numpy as np

SEED = 20260301
PIECE = 1 << 22  # weights that are made at once
THREADS = 2


def random(*key):
    words = [SEED]
    for part in key:
        words += list(part.encode()) if isinstance(part, str) else [part]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(words)))


# --- checkpoints

LAYERS = 24
VOCABULARY = 32000
ADAPTED = ("self_attn.q_proj", "self_attn.v_proj")
ADAPTER_RANK = 8
# a relative step of a weight: in bfloat16 a smaller one would be rounded away
STEP = {"F32": 2.0**-14, "BF16": 2.0**-8}
TUNED_EVERY = 19


def decoder(scale, dtype):
    """Names and shapes of a decoder of 2 GB."""
    parameters = 2e9 * scale / (4 if dtype == "F32" else 2)
    vocabulary = int(VOCABULARY * min(1.0, scale**0.5)) // 32 * 32
    # 12 h² a layer, the embedding and the head beside them
    a, b = 12 * LAYERS, 2 * vocabulary
    hidden = max(32, int((-b + (b * b + 4 * a * parameters) ** 0.5) / (2 * a)) // 16 * 16)
    inner = hidden * 8 // 3
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden)}
    for layer in range(LAYERS):
        name = f"model.layers.{layer}."
        for part in "qkvo":
            shapes[f"{name}self_attn.{part}_proj.weight"] = (hidden, hidden)
        for part in ("gate", "up"):
            shapes[f"{name}mlp.{part}_proj.weight"] = (inner, hidden)
        shapes[f"{name}mlp.down_proj.weight"] = (hidden, inner)
        for part in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{name}{part}.weight"] = (hidden,)
    shapes["model.norm.weight"] = (hidden,)
    shapes["lm_head.weight"] = (vocabulary, hidden)
    return shapes


def tuned(shapes):
    """One tensor in nineteen of the layers' matrices, which is 5 % of the bytes or a little less."""
    matrices = sorted(name for name, shape in shapes.items() if "layers" in name and len(shape) == 2)
    return set(matrices[5::TUNED_EVERY])


def with_adapters(shapes):
    grown = dict(shapes)
    for name, shape in shapes.items():
        if any(part in name for part in ADAPTED):
            stem = name.removesuffix("weight")
            grown[stem + "lora_A.weight"] = (ADAPTER_RANK, shape[1])
            grown[stem + "lora_B.weight"] = (shape[0], ADAPTER_RANK)
    return grown


def stored(values, dtype):
    """As they lie in the file; bfloat16 rounds to the nearest."""
    if dtype == "F32":
        return values
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def loaded(raw, dtype):
    if dtype == "F32":
        return raw
    return (raw.astype(np.uint32) << 16).view(np.float32)


def gaussian(length, *key):
    return random(*key).standard_normal(length, dtype=np.float32)


def fresh_piece(dtype, name, shape, start, length):
    values = gaussian(length, "weight", name, start) * np.float32(0.02)
    if len(shape) == 1:
        values += 1  # norms lie around one
    return stored(values, dtype)


class Safetensors:
    """The tensors of a file, mapped."""

    def __init__(self, path):
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        self.header = header
        self.data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)

    def piece(self, name, dtype, start, length):
        size = 4 if dtype == "F32" else 2
        begin = self.header[name]["data_offsets"][0] + start * size
        raw = self.data[begin : begin + length * size]
        return raw.view(np.float32 if size == 4 else np.uint16)


def write_safetensors(path, shapes, dtype, make_piece):
    """Writes to a new file and then into place, pieces made by two threads ahead of the writer."""
    size = 4 if dtype == "F32" else 2
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name in sorted(shapes):
        end = offset + int(np.prod(shapes[name])) * size
        header[name] = {"dtype": dtype, "shape": list(shapes[name]), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def pieces():
        for name in sorted(shapes):
            total = int(np.prod(shapes[name]))
            for start in range(0, total, PIECE):
                yield name, shapes[name], start, min(PIECE, total - start)

    beside = path.with_name(path.name + ".part")
    with open(beside, "wb") as file, ThreadPoolExecutor(THREADS) as pool:
        file.write(len(text).to_bytes(8, "little") + text)
        waiting = deque()
        for piece in pieces():
            waiting.append(pool.submit(make_piece, *piece))
            if len(waiting) > 2 * THREADS:
                file.write(waiting.popleft().result())
        while waiting:
            file.write(waiting.popleft().result())
    os.replace(beside, path)


def make_checkpoint(dtype, version, folder, scale):
    path = folder / "model.safetensors"
    shapes = decoder(scale, dtype)
    if version == "base":
        write_safetensors(path, shapes, dtype, lambda *piece: fresh_piece(dtype, *piece))
        return
    before = Safetensors(path)
    changed = tuned(shapes)
    if version not in ("base", "finetuned"):
        shapes = with_adapters(shapes)

    def finetuned(name, shape, start, length):
        raw = before.piece(name, dtype, start, length)
        if name not in changed:
            return raw
        return stored(loaded(raw, dtype) + gaussian(length, "tuned", name, start) * np.float32(0.001), dtype)

    def adapters(name, shape, start, length):
        if name in before.header:
            return before.piece(name, dtype, start, length)
        return fresh_piece(dtype, name, shape, start, length)

    def moved(name, shape, start, length):
        step = gaussian(length, "moved", name, start) * np.float32(STEP[dtype]) + np.float32(1)
        return stored(loaded(before.piece(name, dtype, start, length), dtype) * step, dtype)

    def as_before(name, shape, start, length):
        return before.piece(name, dtype, start, length)

    if version == "resharded":
        for number, part in enumerate(shards(shapes), 1):
            write_safetensors(folder / f"model-{number:05}-of-00004.safetensors", part, dtype, as_before)
        path.unlink()
    else:
        make = {"finetuned": finetuned, "adapters": adapters, "moved": moved}[version]
        write_safetensors(path, shapes, dtype, make)


def shards(shapes):
    """Four parts of about the same size."""
    total = sum(int(np.prod(shape)) for shape in shapes.values())
    parts, done = [{} for _ in range(4)], 0
    for name in sorted(shapes):
        parts[min(3, done * 4 // total)][name] = shapes[name]
        done += int(np.prod(shapes[name]))
    return parts


# --- text in columns, made as a matrix of characters

REGIONS = ["Bremen", "Hamburg", "Antwerpen", "Oslo", "Lyon", "Porto", "Gdansk", "Izmir"]
CHANNELS = ["web", "branch", "phone", "partner"]


def literal(text, rows):
    characters = np.broadcast_to(np.frombuffer(text.encode(), np.uint8), (rows, len(text)))
    return characters, np.ones((rows, len(text)), bool)


def number(values, width, trim=True):
    """Decimal digits; leading zeros are left out."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    digits = (values[:, None] // powers % 10).astype(np.uint8)
    kept = np.logical_or.accumulate(digits != 0, axis=1) if trim else np.ones(digits.shape, bool)
    kept[:, -1] = True
    return digits + np.uint8(48), kept


def choice(words, picks):
    width = max(map(len, words))
    table = np.array([list(word.ljust(width, "\0").encode()) for word in words], np.uint8)
    return table[picks], table[picks] != 0


def joined(columns):
    """The characters of all rows, without what is left out."""
    characters = np.concatenate([column[0] for column in columns], axis=1)
    kept = np.concatenate([column[1] for column in columns], axis=1)
    return characters[kept].tobytes()


# --- the table

CSV_HEADER = b"id,time,region,channel,amount,balance,score,defaulted\n"
CSV_ROW_BYTES = 65
CSV_BLOCK = 100_000
INSERTED_IDS = 1_000_000_000


def csv_rows(first, rows, edited):
    """Rows by their ids; in the edited version one amount in a thousand is another."""
    rng = random("csv", first)
    ids = np.arange(first, first + rows)
    seconds = ids * 2
    amount = np.exp(rng.normal(9, 1.5, rows)).astype(np.int64)
    if edited:
        edit = random("edit", first)
        where = edit.random(rows) < 0.001
        amount[where] = np.exp(edit.normal(9, 1.5, int(where.sum()))).astype(np.int64)
    clock = [seconds // 3600 % 24, seconds // 60 % 60, seconds % 60]
    text = lambda characters: literal(characters, rows)
    return joined(
        [number(ids, 10), text(",20"), number(24 + seconds // 31_104_000 % 70, 2, False), text("-")]
        + [number(seconds // 2_592_000 % 12 + 1, 2, False), text("-"), number(seconds // 86_400 % 30 + 1, 2, False)]
        + [text("T"), number(clock[0], 2, False), text(":"), number(clock[1], 2, False), text(":")]
        + [number(clock[2], 2, False), text("Z,"), choice(REGIONS, rng.integers(0, len(REGIONS), rows)), text(",")]
        + [choice(CHANNELS, rng.integers(0, len(CHANNELS), rows)), text(","), number(amount // 100, 8), text(".")]
        + [number(amount % 100, 2, False), text(","), number(rng.integers(0, 10**7, rows), 7), text(",0.")]
        + [number(rng.integers(0, 10**6, rows), 6, False), text(","), number((rng.random(rows) < 0.05) * 1, 1)]
        + [text("\n")]
    )


def make_csv(version, folder, scale):
    rows = int(1e9 * scale) // CSV_ROW_BYTES
    step = ["base", "appended", "inserted", "edited"].index(version)
    ranges = [(0, rows // 2)]
    if step >= 2:
        ranges.append((INSERTED_IDS, rows // 100))
    ranges.append((rows // 2, rows - rows // 2))
    if step >= 1:
        ranges.append((rows, rows // 100))
    blocks = [
        (first, min(CSV_BLOCK, start + length - first), step >= 3)
        for start, length in ranges
        for first in range(start, start + length, CSV_BLOCK)
    ]
    beside = folder / "table.csv.part"
    with open(beside, "wb") as file, ThreadPoolExecutor(THREADS) as pool:
        file.write(CSV_HEADER)
        for ahead in range(0, len(blocks), 2 * THREADS):
            for block in pool.map(lambda block: csv_rows(*block), blocks[ahead : ahead + 2 * THREADS]):
                file.write(block)
    os.replace(beside, folder / "table.csv")


# --- many small files

FILES = 50_000
FILES_IN_FOLDER = 250
RECORD_BYTES = 118


def json_lines(rng, rows):
    text = lambda characters: literal(characters, rows)
    return joined(
        [text('{"id": '), number(rng.integers(0, 10**9, rows), 9), text(', "region": "')]
        + [choice(REGIONS, rng.integers(0, len(REGIONS), rows)), text('", "channel": "')]
        + [choice(CHANNELS, rng.integers(0, len(CHANNELS), rows)), text('", "amount": ')]
        + [number(rng.integers(0, 10**6, rows), 6), text('.5, "score": 0.'), number(rng.integers(0, 10**6, rows), 6, False)]
        + [text(', "text": "sample '), number(rng.integers(0, 10**4, rows), 4), text('"}\n')]
    )


def small_file(number):
    """Half of them lines of JSON, half of them numbers; from 1 to 16 KiB."""
    rng = random("file", number)
    size = int(1024 * 16 ** rng.random())
    if number % 2:
        return ".json", json_lines(rng, max(1, size // RECORD_BYTES))
    return ".bin", rng.standard_normal(size // 4, dtype=np.float32).tobytes()


def changed_file(number):
    """One line more or an eighth of the numbers anew."""
    suffix, content = small_file(number)
    rng = random("changed", number)
    if suffix == ".json":
        return suffix, content + json_lines(rng, 1)
    part = len(content) // 8 // 4 * 4
    return suffix, rng.standard_normal(part // 4, dtype=np.float32).tobytes() + content[part:]


def make_files(version, folder, scale):
    count = max(100, int(FILES * scale))
    numbers, make = (range(count), small_file) if version == "base" else (range(7, count, 100), changed_file)
    for number in numbers:
        suffix, content = make(number)
        inside = folder / "files" / f"{number // FILES_IN_FOLDER:03}"
        if version == "base":
            inside.mkdir(parents=True, exist_ok=True)
        (inside / f"{number:06}{suffix}").write_bytes(content)


# --- all of them

def digest(folder):
    """One digest over names and contents of all files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not is_foreign(path))
    whole, size = blake3.blake3(), 0
    for path in files:
        content = blake3.blake3(max_threads=THREADS)
        if path.stat().st_size > 1 << 20:
            content.update_mmap(path)
        else:
            content.update(path.read_bytes())
        size += path.stat().st_size
        whole.update(f"{path.relative_to(folder)}\0{content.hexdigest()}\n".encode())
    return {"files": len(files), "bytes": size, "digest": whole.hexdigest()}


def is_foreign(path):
    """What a store puts beside the data to remember it by."""
    return path.suffix == ".dvc" or path.name == ".gitignore"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make")
    make.add_argument("workload")
    make.add_argument("version")
    make.add_argument("folder", type=Path)
    make.add_argument("--scale", type=float, default=1.0)
    commands.add_parser("digest").add_argument("folder", type=Path)
    args = parser.parse_args()
    if args.command == "make":
        args.folder.mkdir(parents=True, exist_ok=True)
        if args.workload.startswith("checkpoint"):
            make_checkpoint("F32" if args.workload.endswith("fp32") else "BF16", args.version, args.folder, args.scale)
        else:
            {"csv": make_csv, "files": make_files}[args.workload](args.version, args.folder, args.scale)
    print(json.dumps(digest(args.folder)))


if __name__ == "__main__":
    main()

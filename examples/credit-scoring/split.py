"""Splits the credit applications into a training and a test file.

The shares of good and bad credits are the same in both, the rows keep the order
they have in the source, and the same seed gives the same bytes.
"""

import argparse
import csv
import random
from collections import defaultdict
from pathlib import Path

TARGET = "creditability"


def main() -> None:
    args = parse_args()
    header, rows = read_rows(args.source)
    test = choose_test_rows(rows, header.index(TARGET), args.test_rows, args.seed)
    write_rows(args.train, header, [row for i, row in enumerate(rows) if i not in test])
    write_rows(args.test, header, [row for i, row in enumerate(rows) if i in test])
    print(f"{len(rows) - len(test)} rows in {args.train}, {len(test)} rows in {args.test}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=Path("data/german_credit.csv"))
    parser.add_argument("--train", type=Path, default=Path("data/train.csv"))
    parser.add_argument("--test", type=Path, default=Path("data/test.csv"))
    parser.add_argument("--test-rows", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


def choose_test_rows(
    rows: list[list[str]], target: int, test_rows: int, seed: int
) -> set[int]:
    """Returns the indices of the test rows, drawn from each class in proportion."""
    if not 0 < test_rows < len(rows):
        raise SystemExit(f"--test-rows must lie between 1 and {len(rows) - 1}")
    by_class = defaultdict(list)
    for index, row in enumerate(rows):
        by_class[row[target]].append(index)

    draw = random.Random(seed)
    ranked = []  # (rank of the row within its class as a share of the class, row)
    for label in sorted(by_class):
        members = by_class[label]
        draw.shuffle(members)
        ranked += [((rank + 0.5) / len(members), index) for rank, index in enumerate(members)]
    return {index for _, index in sorted(ranked)[:test_rows]}


def write_rows(path: Path, header: list[str], rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()

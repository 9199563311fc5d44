"""Step 1: the tables of a hospital, made up from a fixed seed.

`data/arrivals.csv` is what is known of a patient at the door, `data/beds.csv` of a ward on a day, and `data/stays-train.csv`
and `data/stays-test.csv` of a stay that ended. Nobody in them is real; what depends on what is written below.
"""

from pathlib import Path

import numpy as np

SEED = 1862
ROWS = 600
TEST_ROWS = 300


def chance(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-score))


def arrivals(random: np.random.Generator) -> dict[str, np.ndarray]:
    age, pulse, pain = random.integers(1, 96, ROWS), random.normal(85, 18, ROWS).round().astype(int), random.integers(0, 11, ROWS)
    urgent = random.random(ROWS) < chance(0.03 * (age - 50) + 0.05 * (pulse - 85) + 0.3 * (pain - 5))
    return {"age": age, "pulse": pulse, "pain": pain, "urgent": urgent}


def beds(random: np.random.Generator) -> dict[str, np.ndarray]:
    weekday, taken, planned = random.integers(0, 7, ROWS), random.integers(5, 40, ROWS), random.integers(0, 9, ROWS)
    full = random.random(ROWS) < chance(0.25 * (taken - 25) + 0.4 * (planned - 4) - 0.5 * (weekday > 4))
    return {"weekday": weekday, "taken": taken, "planned": planned, "full": full}


def stays(random: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    age, days = random.integers(18, 96, rows), random.geometric(0.2, rows)
    drugs, before = random.integers(0, 15, rows), random.poisson(0.8, rows)
    sodium = random.normal(138, 4, rows).round(2)
    back = random.random(rows) < chance(0.03 * (age - 60) + 0.08 * days + 0.15 * (drugs - 7) + 0.8 * (before - 1))
    return {"age": age, "days": days, "drugs": drugs, "earlier_stays": before, "sodium": sodium, "readmitted": back}


def write(path: str, table: dict[str, np.ndarray]) -> None:
    cells = [np.where(column, "yes", "no") if column.dtype == bool else column for column in table.values()]
    lines = [",".join(table), *(",".join(map(str, row)) for row in zip(*cells, strict=True))]
    Path(path).write_text("\n".join(lines) + "\n")


def main() -> None:
    Path("data").mkdir(exist_ok=True)
    random = np.random.default_rng(SEED)
    write("data/arrivals.csv", arrivals(random))
    write("data/beds.csv", beds(random))
    write("data/stays-train.csv", stays(random, ROWS))
    write("data/stays-test.csv", stays(random, TEST_ROWS))


if __name__ == "__main__":
    main()

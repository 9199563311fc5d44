"""Step 4: three quarters of the flights to learn from, the others to judge by.

`build/joined.csv` becomes `data/train.csv` and `data/test.csv`, without what only told planes and hours apart.
"""

from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split

SEED = 13


def main() -> None:
    table = pd.read_csv("build/joined.csv").drop(columns=["tailnum", "time_hour"]).drop_duplicates()
    train, test = train_test_split(table, test_size=0.25, random_state=SEED, stratify=table["arrival"])
    Path("data").mkdir(exist_ok=True)
    for name, half in [("train", train), ("test", test)]:
        half.sort_index().to_csv(f"data/{name}.csv", index=False)
        print(f"data/{name}.csv: {len(half)} flights")


if __name__ == "__main__":
    main()

"""Step 2: the weather at the three airports of New York, one table, in metric units.

All files of `raw/weather`, named after their airport, become `build/weather.csv`.
"""

from pathlib import Path

import pandas as pd


def main() -> None:
    tables = [read(path) for path in sorted(Path("raw/weather").glob("*.csv"))]
    weather = pd.concat(tables, ignore_index=True)
    Path("build").mkdir(exist_ok=True)
    weather.to_csv("build/weather.csv", index=False)
    print(f"{len(weather)} hours at {len(tables)} airports")


def read(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    return pd.DataFrame(
        {
            "origin": path.stem,
            "time_hour": table["time_hour"],
            "temperature": ((table["temp"] - 32) / 1.8).round(1),
            "humidity": table["humid"],
            "wind_speed": (table["wind_speed"] * 1.609344).round(1),
            "rain": (table["precip"] * 25.4).round(2),
            "pressure": table["pressure"],
            "visibility": (table["visib"] * 1.609344).round(1),
        }
    )


if __name__ == "__main__":
    main()

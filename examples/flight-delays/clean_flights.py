"""Step 1: flights that landed, with what was known before they left and how late they were.

`raw/flights.csv` becomes `build/flights.csv`. Cancelled flights have no arrival and are left out.
"""

from pathlib import Path

import pandas as pd

LATE_MINUTES = 15  # from here on the Department of Transportation counts a flight as delayed


def main() -> None:
    flights = pd.read_csv("raw/flights.csv")
    landed = flights.dropna(subset=["arr_delay"])
    day = pd.to_datetime(landed[["year", "month", "day"]])
    table = pd.DataFrame(
        {
            "tailnum": landed["tailnum"],
            "time_hour": landed["time_hour"],
            "month": landed["month"],
            "weekday": day.dt.day_name(),
            "departure_hour": landed["sched_dep_time"] // 100,
            "arrival_hour": landed["sched_arr_time"] // 100,
            "carrier": landed["carrier"],
            "origin": landed["origin"],
            "destination": landed["dest"],
            "distance": landed["distance"],
            "delay_minutes": landed["arr_delay"].astype(int),
            "arrival": (landed["arr_delay"] >= LATE_MINUTES).map({True: "late", False: "on time"}),
        }
    )
    Path("build").mkdir(exist_ok=True)
    table.to_csv("build/flights.csv", index=False)
    print(f"{len(table)} of {len(flights)} flights landed, {(table['arrival'] == 'late').mean():.1%} of them late")


if __name__ == "__main__":
    main()

"""Step 3: each flight with the weather when it left and the plane that flew.

`build/flights.csv`, `build/weather.csv` and `raw/planes.tsv` become `build/joined.csv`. What is not known of the
weather or the plane stays empty.
"""

import pandas as pd

YEAR = 2013


def main() -> None:
    flights = pd.read_csv("build/flights.csv")
    weather = pd.read_csv("build/weather.csv")
    planes = pd.read_csv("raw/planes.tsv", sep="\t")
    aircraft = pd.DataFrame(
        {
            "tailnum": planes["tailnum"],
            "plane_age": YEAR - planes["year"],
            "seats": planes["seats"],
            "engine": planes["engine"],
        }
    )
    joined = flights.merge(weather, how="left", on=["origin", "time_hour"]).merge(aircraft, how="left", on="tailnum")
    joined["engine"] = joined["engine"].fillna("unknown")
    outcome = ["delay_minutes", "arrival"]
    joined = joined[[column for column in joined if column not in outcome] + outcome]
    joined.to_csv("build/joined.csv", index=False)
    print(f"{len(joined)} flights, {joined['temperature'].isna().sum()} without weather, {joined['seats'].isna().sum()} without plane")


if __name__ == "__main__":
    main()

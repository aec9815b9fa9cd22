"""The whole year: `python -m tests.year --minutes 1`. Takes an hour or two, so the suite runs a sample of it.

Several processes may share the alerts by their days, each with a database of its own and with every look of the year.
"""

import argparse
import random
import sys
import tempfile
from datetime import date
from pathlib import Path

from core import notifications
from core.clock import monotonic, to_india
from tests.builders import fresh_database
from tests.unit.engine.rows import OPERATOR
from tests.year.judge import faults
from tests.year.year import FIRST, LAST, Year, every


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=1, help="one alert in so many minutes")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--since", type=date.fromisoformat, default=FIRST, help="no alerts before this day of 2026")
    parser.add_argument("--until", type=date.fromisoformat, default=LAST, help="and none after this one")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    fired = [at for at in every(asked.minutes, chance) if asked.since <= to_india(at).date() <= asked.until]
    began = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        database = fresh_database(Path(folder))
        with database.transaction() as connection:
            notifications.enrol(connection, [(OPERATOR, "admin")])
        year = Year(database, seed=asked.seed, alerts=fired)
        year.run()
        found, states = faults(year), year.counts()
        year.open.close()
        database.close()
    print(f"{len(year.alerts)} alerts, {year.exchange.posts.total()} sent, {year.restarts} restarts over a send")
    print(", ".join(f"{state} {count}" for state, count in states.most_common()))
    print(f"{monotonic() - began:.0f} s; faults: {len(found)}", *found[:20], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

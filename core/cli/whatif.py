"""`munshi whatif FILE --at TIME`: what would become of an alert at that moment, and why. Sends and stores nothing."""

import sys
from pathlib import Path

from core.bootstrap import build_clock, open_database
from core.broker.dhan.instruments import InstrumentList
from core.calendar import load_calendar
from core.settings import load
from core.whatif import foresee, read_moment


def run(file: str, at: str | None) -> int:
    try:
        body = Path(file).read_bytes()
    except OSError as error:
        print(f"munshi whatif: {file} cannot be read: {error.strerror}", file=sys.stderr)
        return 1
    settings = load()
    now = build_clock(settings).now()
    moment = read_moment(at, now) if at else now
    listed = InstrumentList(settings.instruments_file)
    database = open_database(settings)
    try:
        with database.snapshot() as connection:
            told = foresee(connection, body, moment, resolve=listed.resolve, calendar=load_calendar())
    finally:
        listed.close()
        database.close()
    print(*told, sep="\n")
    return 0

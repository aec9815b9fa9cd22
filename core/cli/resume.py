"""`munshi resume`: send again after a pause."""

from core import controls, journal
from core.bootstrap import build_clock, open_database
from core.settings import load


def run() -> int:
    settings = load()
    database = open_database(settings)
    now = build_clock(settings).now()
    with database.transaction() as connection:
        lifted = controls.resume(connection, at=now, actor=journal.COMMAND_LINE)
    database.close()
    print("Orders go out again." if lifted else "It was not paused.")
    return 0

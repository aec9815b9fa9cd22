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
        held = controls.holds(connection)
    database.close()
    if held:
        print(f"Nothing goes out yet: {next(iter(held.values()))}")
        return 0
    print("Orders go out again." if lifted else "It was not paused.")
    return 0

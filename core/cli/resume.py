"""`munshi resume`: send again after a pause."""

from core import controls, journal
from core.bootstrap import build_clock, open_database
from core.controls import Hold
from core.settings import load

_ASKS = "Dhan's kill switch was on. The desk asks Dhan now, and lets orders out if it is off."


def run() -> int:
    settings = load()
    database = open_database(settings)
    now = build_clock(settings).now()
    with database.transaction() as connection:
        is_stopped = Hold.KILL_SWITCH in controls.holds(connection)
        lifted = controls.resume(connection, at=now, actor=journal.COMMAND_LINE, kill_switch_is_on=is_stopped)
        held = controls.holds(connection) | ({Hold.KILL_SWITCH: _ASKS} if is_stopped else {})
    database.close()
    if held:
        print(f"Nothing goes out yet: {next(iter(held.values()))}")
        return 0
    print("Orders go out again." if lifted else "It was not paused.")
    return 0

"""`munshi pause`: stop sending, with Telegram and web down if need be."""

from core import controls, journal
from core.bootstrap import build_clock, open_database
from core.settings import load


def run() -> int:
    settings = load()
    database = open_database(settings)
    now = build_clock(settings).now()
    with database.transaction() as connection:
        changed = controls.pause(connection, at=now, actor=journal.COMMAND_LINE)
    database.close()
    print("Paused: nothing is sent until /resume or `munshi resume`." if changed else "It was paused already.")
    return 0

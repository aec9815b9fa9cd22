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
        on_the_way = controls.on_the_way(connection)
    database.close()
    stops = "Paused: nothing is sent until /resume or `munshi resume`."
    print(f"{stops if changed else 'It was paused already.'}{on_the_way}")
    return 0

"""`munshi export`: orders, fills and notifications of a day or some days, as CSV files."""

from datetime import date
from pathlib import Path

from core import export
from core.bootstrap import build_clock, open_database
from core.clock import to_india
from core.errors import Refusal
from core.settings import load


def run(since: str | None, until: str | None, into: str | None) -> int:
    settings = load()
    today = to_india(build_clock(settings).now()).date()
    first = _day(since) if since else _day(until) if until else today
    last = _day(until) if until else first
    if last < first:
        raise Refusal(f"{first} comes after {last}.")
    database = open_database(settings)
    try:
        with database.snapshot() as connection:
            sheets = export.sheets(connection, first, last)
    finally:
        database.close()
    files = export.write(sheets, Path(into) if into else settings.munshi_data_dir / "exports")
    for sheet, file in zip(sheets, files, strict=True):
        print(f"{file}: {sheet.rows} rows, last hash {sheet.last_hash}")
    return 0


def _day(word: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise Refusal(f"'{word}' is no day; write 2026-12-01.") from None

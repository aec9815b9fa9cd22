"""A calendar file with a mistake stops the start, and the message says where to look."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.calendar import BadCalendar, load_calendar

GOOD: dict[str, Any] = {
    "about": "One open market.",
    "year": 2026,
    "days": {
        "currency": {
            "covers": "whole_year",
            "rows": [{"date": "2026-01-26", "closed": "Republic Day", "source": "calendar", "confidence": "sure"}],
        }
    },
    "hours": [
        {
            "class": "currency",
            "valid_from": "2026-01-01",
            "sessions": [["09:00", "17:00"]],
            "amo": {
                "evening_opens": "17:30",
                "morning_closes": "08:45",
                "source": "ours",
                "confidence": "unverified",
            },
            "source": "exchange",
            "confidence": "sure",
        }
    ],
}


def write(folder: Path, year: dict[str, Any] | str, name: str = "2026.json") -> Path:
    (folder / name).write_text(year if isinstance(year, str) else json.dumps(year), "utf-8")
    return folder


def test_a_good_file_is_read(tmp_path: Path) -> None:
    assert len(load_calendar(write(tmp_path, GOOD)).days) == 365


def change(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def apply(year: dict[str, Any]) -> None:
        spot: Any = year
        for key in path[:-1]:
            spot = spot[key]
        spot[path[-1]] = to

    return apply


ROW = ("days", "currency", "rows", 0)
HOURS = ("hours", 0)


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        (change(*ROW, "date", to="2026-02-30"), "2026.json: days.currency.rows.0.date: "),
        (change(*ROW, "date", to="2025-01-26"), "2026.json: the whole file: .*days.currency has a row of another year"),
        (change(*ROW, "confidence", to="perhaps"), "2026.json: days.currency.rows.0.confidence: "),
        (change(*ROW, "source", to=""), "2026.json: days.currency.rows.0.source: "),
        (change(*ROW, "unknown", to="also"), "2026.json: days.currency.rows.0: .*exactly one of"),
        (change(*ROW, "closd", to="typo"), "2026.json: days.currency.rows.0.closd: "),
        (change("days", "currency", "covers", to="some"), "2026.json: days.currency.covers: "),
        (change(*HOURS, "class", to="cash_"), "2026.json: hours.0.class: "),
        (change(*HOURS, "sessions", to=[]), "2026.json: hours.0.sessions: "),
        (change(*HOURS, "sessions", to=[["17:00", "09:00"]]), "2026.json: hours.0.sessions.0: .*before it closes"),
        (
            change(*HOURS, "sessions", to=[["09:00", "12:00"], ["11:00", "13:00"]]),
            "2026.json: hours.0.sessions: .*follow one another",
        ),
        (change(*HOURS, "amo", "morning_closes", to="8.45"), "2026.json: hours.0.amo.morning_closes: "),
        (change(*HOURS, "valid_from", to="2026-03-01"), "2026.json: hours: no row for currency .* 2026-01-01"),
        (change("year", to=2027), "2026.json: "),
    ],
)
def test_a_mistake_is_told_by_file_and_key(
    tmp_path: Path, mistake: Callable[[dict[str, Any]], None], says: str
) -> None:
    year = json.loads(json.dumps(GOOD))
    mistake(year)

    with pytest.raises(BadCalendar, match=says):
        load_calendar(write(tmp_path, year))


def test_one_date_twice_is_a_mistake(tmp_path: Path) -> None:
    year = json.loads(json.dumps(GOOD))
    year["days"]["currency"]["rows"] *= 2

    with pytest.raises(BadCalendar, match=r"2026.json: .*two rows for one date"):
        load_calendar(write(tmp_path, year))


def test_a_broken_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadCalendar, match=r"^2026.json: the whole file: "):
        load_calendar(write(tmp_path, "{"))


def test_a_file_named_for_another_year_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadCalendar, match=r"^2031.json: year: "):
        load_calendar(write(tmp_path, GOOD, "2031.json"))


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(BadCalendar, match="no calendar file"):
        load_calendar(tmp_path)

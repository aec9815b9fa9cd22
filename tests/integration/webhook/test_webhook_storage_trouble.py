"""An alert that could not be stored is never answered with a 2xx: the sender is asked to send it again."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event

from core.db.engine import Database
from core.domain.alert import AlertState
from tests.builders import database_file
from tests.integration.webhook.running_web import RunningWeb, an_alert_text, running_web
from webhook.app import BUSY_TIMEOUT

TRADINGVIEW_WAITS = 3  # seconds, before it hangs up


def asks_to_send_again(reply: httpx.Response) -> bool:
    answer = reply.json()
    assert answer["status"] == "error"
    assert answer["message"].startswith("Not stored, send it again: ")
    return (reply.status_code, reply.headers["retry-after"]) == (503, "5")


@contextmanager
def files_that_cannot_grow(folder: Path) -> Generator[None]:
    """Every connection opened meanwhile finds its database full."""
    database_file(folder)  # the first of a run is migrated, and has to grow for it

    def no_growth(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count=1")  # SQLite takes it as: not larger than now

    event.listen(Engine, "connect", no_growth)
    try:
        yield
    finally:
        event.remove(Engine, "connect", no_growth)


def test_a_locked_database_answers_503_in_time_for_tradingview_and_a_copy_is_taken_later(web: RunningWeb) -> None:
    with web.locked():
        reply = web.post(an_alert_text())
    assert asks_to_send_again(reply)
    assert "locked" in reply.json()["message"]
    assert BUSY_TIMEOUT < TRADINGVIEW_WAITS / 2
    assert web.stored() == []
    again = web.post(an_alert_text()).json()
    assert (again["status"], again["duplicate"]) == ("success", False)
    assert [alert.state for alert in web.stored()] == [AlertState.RECEIVED]


@pytest.mark.sqlite("its file cannot grow")
def test_a_full_database_answers_503_and_keeps_no_half_of_an_alert(tmp_path: Path) -> None:
    with files_that_cannot_grow(tmp_path), running_web(tmp_path) as web:
        for quantity in ("1", "many"):  # an alert to take, and one to keep for the operator with what is wrong with it
            reply = web.post(an_alert_text(note="x" * 15_000, quantity=quantity))
            assert asks_to_send_again(reply)
            assert "full" in reply.json()["message"]
        assert web.stored() == []
        assert rows(web.database, "events") == 0


@pytest.mark.sqlite("its file cannot grow")
def test_a_full_database_still_answers_for_itself(tmp_path: Path) -> None:
    with files_that_cannot_grow(tmp_path), running_web(tmp_path) as web:
        web.post(an_alert_text(note="x" * 15_000))
        assert web.client.get("/health").json()["alerts_undecided"] == 0
        assert web.client.get("/trace").status_code == 200


def test_a_database_that_cannot_be_read_is_not_ready_and_says_why(web: RunningWeb) -> None:
    lose(web, "settings")
    ready = web.client.get("/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert "settings" in ready.json()["reasons"][0]


def test_health_answers_in_its_own_words_when_the_database_cannot_be_read(web: RunningWeb) -> None:
    lose(web, "settings")
    health = web.client.get("/health")
    assert health.status_code != 500
    assert health.json()["status"] != "ok"


@pytest.mark.parametrize("table", ["events", "alerts"])
def test_a_database_that_lost_a_table_it_writes_to_answers_503(web: RunningWeb, table: str) -> None:
    lose(web, table)
    assert asks_to_send_again(web.post(an_alert_text()))


@pytest.mark.sqlite("its file is damaged")
def test_a_damaged_database_answers_503_and_says_so_wherever_it_is_asked(web: RunningWeb) -> None:
    spoil(web)
    assert asks_to_send_again(web.post(an_alert_text()))
    assert [web.client.get(page).status_code for page in ("/health", "/ready")] == [503, 503]


def spoil(web: RunningWeb) -> None:
    """Every page of the file and of its log becomes nonsense."""
    for file in web.settings.munshi_data_dir.glob("munshi.db*"):
        file.write_bytes(b"nonsense" * (file.stat().st_size // 8))


def lose(web: RunningWeb, table: str) -> None:
    with web.database.transaction() as connection:
        connection.exec_driver_sql(f"DROP TABLE {table}" + (" CASCADE" if connection.dialect.name != "sqlite" else ""))


def rows(database: Database, table: str) -> int:
    with database.snapshot() as connection:
        return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()

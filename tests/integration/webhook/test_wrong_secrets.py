"""A mistyped secret is told where a trader looks, and no flood of them is."""

import asyncio
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from core import notifications
from core.db.engine import Database
from core.db.tables import outbox
from core.domain.notice import Notice
from tests.builders import FrozenClock, address_of, fresh_database, locked, until
from tests.integration.webhook.running_web import RunningWeb, an_alert_text, running_web, wait_until
from webhook.wrong_secrets import WrongSecrets


@pytest.fixture
def web(tmp_path: Path) -> Generator[RunningWeb]:
    with running_web(tmp_path) as web:
        with web.database.transaction() as connection:
            notifications.enrol(connection, [(42, "admin")])
        yield web


def told(web: RunningWeb) -> list[str]:
    return told_in(web.database)


def told_in(database: Database) -> list[str]:
    with database.snapshot() as connection:
        query = select(outbox.c.payload).where(outbox.c.kind == Notice.TURNED_AWAY)
        return [payload["words"] for payload in connection.execute(query).scalars()]


@pytest.mark.parametrize("path", ["/webhook", "/webhook/an-old-key"])
def test_an_alert_with_a_wrong_secret_is_told_in_the_chat_once_a_day(web: RunningWeb, path: str) -> None:
    def fire(times: int) -> None:
        for _ in range(times):
            assert web.client.post(path, content=an_alert_text(secret="mistyped")).status_code == 401

    fire(3)
    wait_until(lambda: len(told(web)) == 1)
    assert "mistyped" not in told(web)[0]
    fire(1)
    web.move_clock(25 * 3600)
    fire(1)
    wait_until(lambda: len(told(web)) == 2)


@pytest.mark.parametrize("text", ["RELIANCE Crossing 1,400.00", "{{ticker}} crossed {{close}}"])
def test_words_that_are_no_message_and_name_no_secret_are_told_of_too(web: RunningWeb, text: str) -> None:
    for _ in range(2):
        assert web.client.post("/webhook", content=text).status_code == 422
    wait_until(lambda: len(told(web)) == 1)
    assert "without one" in told(web)[0]
    assert text not in told(web)[0]


def test_the_right_secret_is_not_told_of(web: RunningWeb) -> None:
    assert web.post(an_alert_text()).status_code == 200
    assert web.client.post("/webhook", content=an_alert_text(secret="mistyped")).status_code == 401
    wait_until(lambda: len(told(web)) == 1)


async def test_one_that_comes_while_another_is_being_told_is_not_forgotten(tmp_path: Path) -> None:
    clock = FrozenClock()
    with closing(fresh_database(tmp_path)) as database:
        with database.transaction() as connection:
            notifications.enrol(connection, [(42, "admin")])
        wrong_secrets = WrongSecrets(database, clock)
        watching = asyncio.create_task(wrong_secrets.watch())
        wrong_secrets.note()
        with locked(address_of(database)):
            await until(lambda: database._writer._working is not None)
            wrong_secrets.note()
        await until(lambda: len(told_in(database)) == 1)
        clock.advance(25 * 3600)
        await until(lambda: len(told_in(database)) == 2)
        watching.cancel()

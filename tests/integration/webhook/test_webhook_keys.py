"""`POST /webhook/{key}`: a source's own address, which needs no secret in the body."""

import asyncio
import json
from contextlib import closing

import pytest

from core import sources
from core.db import sources as rows
from core.db.engine import Database
from core.db.sources import Key
from core.domain.alert import AlertState
from core.domain.source import IdenticalAlerts, Source
from core.errors import Unavailable
from tests.builders import NOON
from tests.integration.webhook.running_web import SECRET, RunningWeb, an_alert_text, wait_until
from tests.patience import PATIENCE
from webhook.keys import READ_EVERY, Keys

ACTOR = "operator 42"


class Strategies:
    """Sources as an operator keeps them, beside the running web process."""

    def __init__(self, web: RunningWeb) -> None:
        self.web = web

    def add(self, name: str) -> str:
        with self.web.database.transaction() as connection:
            return sources.add(connection, name, at=NOON, actor=ACTOR)[1]

    def find(self, name: str) -> Source:
        with self.web.database.snapshot() as connection:
            found = rows.named(connection, name)
        assert found
        return found

    def rotate(self, name: str) -> str:
        with self.web.database.transaction() as connection:
            return sources.rotate(connection, sources.find(connection, name), at=NOON, actor=ACTOR)

    def retire(self, name: str) -> int:
        with self.web.database.transaction() as connection:
            return sources.retire(connection, sources.find(connection, name), at=NOON, actor=ACTOR)

    def keys(self, name: str) -> list[Key]:
        with self.web.database.snapshot() as connection:
            return [key for key in rows.all_keys(connection) if key.source_id == self.find(name).id]

    def post(self, key: str, text: str) -> tuple[int, dict[str, object]]:
        reply = self.web.client.post(f"/webhook/{key}", content=text)
        return reply.status_code, reply.json()


@pytest.fixture
def strategies(web: RunningWeb) -> Strategies:
    return Strategies(web)


def test_a_key_in_the_path_says_whose_alert_it_is(strategies: Strategies) -> None:
    key = strategies.add("swing")
    status, answer = strategies.post(key, an_alert_text(secret=None))
    assert (status, answer["status"]) == (200, "success")
    [stored] = strategies.web.stored()
    assert (stored.source.name, stored.state) == ("swing", AlertState.RECEIVED)


def test_an_unknown_key_is_answered_like_a_wrong_secret_and_nothing_is_kept(strategies: Strategies) -> None:
    strategies.add("swing")
    for key in ("nobody", "%C3%A9", "x" * 4000):
        assert strategies.post(key, an_alert_text()) == (
            401,
            {"status": "error", "message": "Invalid webhook secret"},
        )
    assert strategies.web.stored() == []


def test_the_secret_in_the_body_stays_the_default_sources(strategies: Strategies) -> None:
    key = strategies.add("swing")
    assert strategies.web.post(an_alert_text()).status_code == 200
    assert strategies.web.post(an_alert_text(secret=key)).status_code == 401
    assert [alert.source.name for alert in strategies.web.stored()] == ["tradingview"]


def test_the_same_bytes_of_two_sources_are_two_wishes(strategies: Strategies) -> None:
    keys = [strategies.add(name) for name in ("swing", "trend")]
    answers = [strategies.post(key, an_alert_text(secret=None))[1] for key in (*keys, keys[0])]
    assert [answer["duplicate"] for answer in answers] == [False, False, True]


def test_the_old_and_the_new_key_work_together_and_uses_are_counted(strategies: Strategies) -> None:
    old = strategies.add("swing")
    new = strategies.rotate("swing")
    for key, note in ((old, "1"), (old, "2"), (new, "3")):
        assert strategies.post(key, an_alert_text(secret=None, note=note))[0] == 200
    assert [key.uses for key in strategies.keys("swing")] == [2, 1]
    same = [strategies.post(key, an_alert_text(secret=None))[1]["duplicate"] for key in (old, new)]
    assert same == [False, True]


def test_a_retired_key_opens_nothing_and_its_late_use_is_counted(strategies: Strategies) -> None:
    old = strategies.add("swing")
    new = strategies.rotate("swing")
    assert strategies.post(old, an_alert_text(secret=None, note="1"))[0] == 200
    assert strategies.retire("swing") == 1
    wait_until(lambda: strategies.post(old, an_alert_text(secret=None, note="2"))[0] == 401)
    assert strategies.post(new, an_alert_text(secret=None, note="3"))[0] == 200
    wait_until(lambda: strategies.keys("swing")[0].late_uses > 0)


def test_a_source_may_fold_or_accept_its_identical_alerts(strategies: Strategies) -> None:
    key = strategies.add("swing")
    swing = strategies.find("swing")
    for policy, same in ((IdenticalAlerts.ACCEPT, False), (IdenticalAlerts.FOLD, True)):
        with strategies.web.database.transaction() as connection:
            after = Source(id=swing.id, name="swing", identical_alerts=policy)
            swing = sources.save(connection, swing, after, at=NOON, actor=ACTOR, words="changed")
        text = an_alert_text(secret=None, note=policy)
        first, again = (strategies.post(key, text)[1] for _ in range(2))
        assert (first["alert_id"] == again["alert_id"]) is same


def test_mistakes_in_a_sources_alert_are_kept_and_told(strategies: Strategies) -> None:
    key = strategies.add("swing")
    for text in ("{broken", an_alert_text(secret=None, quantity="none")):
        status, answer = strategies.post(key, text)
        assert (status, answer["status"]) == (422, "error")
    assert [(alert.source.name, bool(alert.reason)) for alert in strategies.web.stored()] == [("swing", True)] * 2


@pytest.mark.parametrize("body", [{"heartbeat": True}, {"heartbeat": "swing", "meta": {"interval": "15"}}])
def test_a_heartbeat_is_heard_and_makes_no_alert(strategies: Strategies, body: dict[str, object]) -> None:
    key = strategies.add("swing")
    status, answer = strategies.post(key, json.dumps(body))
    assert (status, answer) == (200, {"status": "success", "message": "Heartbeat noted."})
    assert strategies.web.post(json.dumps({"secret": SECRET, **body})).json() == answer
    assert strategies.web.stored() == []
    assert [key.uses for key in strategies.keys("swing")] == [1]


def test_a_heartbeat_beside_an_order_is_an_order(strategies: Strategies) -> None:
    key = strategies.add("swing")
    alert = {**json.loads(an_alert_text(secret=None)), "heartbeat": True}
    assert strategies.post(key, json.dumps(alert))[1]["order_status"] == "accepted"
    assert strategies.post(key, json.dumps({"heartbeat": False}))[0] == 422


async def test_a_late_use_that_could_not_be_written_down_is_written_later(strategies: Strategies) -> None:
    old = strategies.add("swing")
    strategies.rotate("swing")
    strategies.retire("swing")
    with closing(Database(strategies.web.settings.database, busy_timeout=0.05)) as database:
        keys = Keys(database)
        watching = asyncio.create_task(keys.watch())
        assert await keys.find(old) is None
        with strategies.web.locked():
            with pytest.raises(Unavailable):
                await database.write(lambda _connection: None)
            await asyncio.sleep(READ_EVERY + 0.1)
        async with asyncio.timeout(PATIENCE):
            while not strategies.keys("swing")[0].late_uses:  # noqa: ASYNC110 - another process would tell no event
                await asyncio.sleep(0.02)
        watching.cancel()

"""Dhan's postback: kept as a hint for the desk, never as the truth, and only from who knows the key."""

import json

import pytest
from sqlalchemy import select

from core.db.tables import hints
from tests.integration.webhook.running_web import RunningWeb

BODY = {"orderId": "5226112400317", "orderStatus": "TRADED", "correlationId": "MU1", "filled_qty": 10}


def stored(web: RunningWeb) -> list[tuple[str, str]]:
    with web.database.snapshot() as connection:
        return [(row.broker_order_id, row.status) for row in connection.execute(select(hints).order_by(hints.c.id))]


def post(web: RunningWeb, body: bytes, key: str | None = None) -> int:
    key = key or web.settings.postback_key.get_secret_value()
    return web.client.post(f"/dhan/postback/{key}", content=body).status_code


@pytest.mark.fault("BR-29")
def test_a_postback_is_kept_as_a_hint_and_answered(web: RunningWeb) -> None:
    assert post(web, json.dumps(BODY).encode()) == 200
    assert post(web, json.dumps(BODY).encode()) == 200, "a second one does no harm"
    assert stored(web) == [("5226112400317", "TRADED")] * 2


@pytest.mark.parametrize("key", ["guessed", "x" * 500, "schlüssel"])
def test_without_the_key_nothing_is_there(web: RunningWeb, key: str) -> None:
    assert post(web, json.dumps(BODY).encode(), key) == 404
    assert stored(web) == []


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[1]", b'{"orderId":', b"[" * 10_000, b'{"orderId":{"a":1},"orderStatus":"<b>"}']
)
def test_whatever_it_says_it_only_makes_the_desk_look(web: RunningWeb, body: bytes) -> None:
    assert post(web, body) == 200
    assert stored(web) == [("", "")]


def test_a_body_longer_than_any_order_is_not_read(web: RunningWeb) -> None:
    assert post(web, b"x" * 20_000) == 413
    assert stored(web) == []

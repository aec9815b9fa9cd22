"""Sources kept in the chat: a key of its own, trust, a pause, a new key, an end."""

import json

import httpx

from tests.world import World


def fire(world: World, key: str) -> httpx.Response:
    alert = json.loads(world.alert(world.leg()))
    del alert["secret"]
    return world._web_http.post(f"/webhook/{key}", content=json.dumps(alert))


def ordered(world: World, key: str) -> tuple[int, str]:
    answer = fire(world, key).json()
    return int(answer["alert_id"]), answer["order_status"]


def key_in(text: str) -> str:
    return text.partition("/webhook/")[2].split()[0]


def test_a_source_is_added_trusted_paused_and_removed_in_the_chat(world: World) -> None:
    phone = world.phone
    told = phone.ask("/sources add swing", "shown this once")
    assert "TradingView cannot reach this address" in told
    key = key_in(told)
    alert, status = ordered(world, key)
    assert status == "placed"
    phone.card_shows(alert, "Source: swing")

    phone.confirm("Trust: each")
    world.until(lambda: "This lets more go" in phone.messages()[-1]["text"], "the rise is asked about")
    assert phone.confirm("Yes, do it") == "Set. Source swing: trust each"
    alert, status = ordered(world, key)
    assert status == "awaiting_approval"
    phone.card_shows(alert, "You approve every order of swing.")
    phone.tap(alert, "Cancel")

    phone.ask("/sources swing pause", "swing is paused")
    alert, status = ordered(world, key)
    assert status == "refused"
    phone.card_shows(alert, "Its source swing is paused")
    assert "/sources swing trust paper|each" in phone.ask("/sources swing trust gold", "is no trust of a source")

    new = key_in(phone.ask("/sources swing rotate", "shown this once"))
    world.until(lambda: fire(world, new).status_code == 200, "the new key is known")
    assert fire(world, key).status_code == 200
    assert "old key of" in phone.ask("/sources swing", "new key of")
    phone.confirm("Retire the old key")
    world.until(lambda: fire(world, key).status_code == 401, "the old key opens nothing")
    world.until(lambda: any("by an old key" in m["text"] for m in phone.messages()), "the late use is told")

    phone.ask("/sources swing resume", "swing goes on")
    phone.ask("/sources swing remove", "Its history stays")
    phone.confirm("Yes, do it")
    world.until(lambda: fire(world, new).status_code == 401, "the last key opens nothing")
    assert "swing" not in phone.ask("/sources", "tradingview")
    assert new not in json.dumps(world.health())

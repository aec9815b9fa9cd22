"""What the webhook says to bodies as TradingView and mistaken people send them."""

import json

import pytest

from tests.world import World, taken

AS_DOCUMENTED = """{"secret":"%s","alertType":"multi_leg_order","order_legs":[{"transactionType":"B",
 "orderType":"MKT","quantity":"1","exchange":"NSE","symbol":"RELIANCE","instrument":"EQ","productType":"C",
 "sort_order":"1","price":"0","amoTime":"OPEN_30",
 "meta":{"interval":"1D","time":"{{time}}","timenow":"{{timenow}}","serial":%d}}]}"""


def test_the_documented_alert_works_even_with_unfilled_times_in_meta(world: World) -> None:
    secret = world.settings.webhook_secret.get_secret_value()
    answer = taken(world.post(AS_DOCUMENTED % (secret, 1)))
    assert answer["order_status"] == "placed"
    world.phone.card_shows(answer["alert_id"], "Filled", "not filled by TradingView")


@pytest.mark.fault("PA-11")
def test_an_unfilled_placeholder_in_a_trading_field_is_refused_in_words_and_shown_on_a_card(world: World) -> None:
    reply = world.post(world.alert(world.leg(quantity="{{strategy.order.contracts}}")))
    assert reply.status_code == 422
    refusal = reply.json()
    assert "quantity is '{{strategy.order.contracts}}': TradingView did not fill this placeholder" in refusal["message"]
    card = world.phone.card_shows(int(refusal["alert_id"]), "Refused", "TradingView did not fill this placeholder")
    assert card.buttons == {}
    assert world.placements() == 0


def test_a_wrong_secret_is_turned_away_and_nobody_hears_of_it(world: World) -> None:
    messages = len(world.phone.messages())
    body = json.loads(world.alert())
    reply = world.post(json.dumps(body | {"secret": "not-the-secret"}))
    assert (reply.status_code, reply.json()) == (401, {"status": "error", "message": "Invalid webhook secret"})
    assert world.post(json.dumps({k: v for k, v in body.items() if k != "secret"})).status_code == 401
    assert world.fire()["order_status"] == "placed", "the next alert shows that the desk has looked since"
    assert len(world.ledger()) == 1
    assert all("not-the-secret" not in message["text"] for message in world.phone.messages()[messages:])


@pytest.mark.fault("PA-01")
def test_broken_json_is_refused_with_the_mistake_in_words_and_its_owner_is_told(world: World) -> None:
    broken = world.alert().replace('"quantity": "1",', '"quantity": "1"')
    reply = world.post(broken)
    assert reply.status_code == 422
    assert "JSON" in reply.json()["message"]
    world.phone.card_shows(int(reply.json()["alert_id"]), "Refused", "JSON")
    assert world.settings.webhook_secret.get_secret_value() not in str(world.phone.messages())
    assert world.placements() == 0


@pytest.mark.fault("SX-03")
def test_a_megabyte_is_turned_away(world: World) -> None:
    reply = world.post(world.alert().replace("}", " " * 1_000_000 + "}", 1))
    assert reply.status_code == 413
    assert world.health()["alerts_undecided"] == 0


@pytest.mark.fault("IN-08")
@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "application/x-www-form-urlencoded", ""])
def test_the_content_type_does_not_matter(world: World, kind: str) -> None:
    answer = taken(world.post("\ufeff" + world.alert() + "\n", **{"Content-Type": kind}))
    assert answer["order_status"] == "placed"
    world.phone.card_shows(answer["alert_id"], "Filled")


def test_numbers_count_as_text_or_as_numbers(world: World) -> None:
    text, number = world.leg("INFY", quantity="3"), world.leg("TCS") | {"quantity": 3, "price": 0}
    alerts = [world.fire(leg)["alert_id"] for leg in (text, number)]
    for alert in alerts:
        world.phone.card_shows(alert, "Filled 3 at ₹")
    assert [order["quantity"] for order in world.ledger()] == [3, 3]


@pytest.mark.fault("PA-08")
def test_a_symbol_that_no_exchange_lists_is_refused_and_never_guessed(world: World) -> None:
    answer = world.fire(world.leg("RELAINCE"))
    assert answer["order_status"] == "refused"
    assert "RELAINCE" in answer["message"]
    world.phone.card_shows(answer["alert_id"], "Refused", "RELAINCE")
    assert world.placements() == 0


def test_whoever_does_not_want_to_wait_is_answered_right_after_the_commit(world: World) -> None:
    answer = world.fire(prefer_no_wait=True)
    assert (answer["order_status"], answer["orders"]) == ("accepted", [])
    world.phone.card_shows(answer["alert_id"], "Filled")


def test_an_old_alert_asks_before_it_goes_to_the_market(world: World) -> None:
    old = world.alert()
    world.pass_time(180)
    answer = taken(world.post(old))
    assert (answer["placement_mode"], answer["order_status"]) == ("immediate", "awaiting_approval")
    world.phone.card_shows(answer["alert_id"], "Waiting for your tap", "3 minutes old")
    world.pass_time(16 * 60)
    world.phone.card_shows(answer["alert_id"], "Expired, not sent")
    assert world.placements() == 0

"""Telegram down or flaky: orders go out all the same, and afterwards the cards tell the truth."""

import pytest

from tests.world import World

NO_FUNDS = "RMS:You have insufficient funds. Please add Rs.1000.00 to trade."


def open_orders(world: World) -> int:
    return sum(world.health()["orders"].values())


@pytest.mark.fault("TG-01")
def test_a_desk_that_starts_without_telegram_trades_and_tells_the_truth_later(world: World) -> None:
    world.desk.stop()
    world.telegram_fault("down", seconds=60)
    world.desk.start()
    world.is_ready()
    alert = world.fire()["alert_id"]
    world.until(lambda: [order["orderStatus"] for order in world.ledger()] == ["TRADED"], "Dhan fills it")
    assert world.phone.card(alert) is None

    world.clear_faults()
    world.phone.card_shows(alert, "Filled 1 at ₹")
    world.until(lambda: len(world.phone.rings(alert)) == 1, "the fill rings once")
    assert world.placements() == 1


@pytest.mark.fault("TG-01")
def test_telegram_away_for_a_while_delays_cards_and_no_orders(world: World) -> None:
    before = world.fire()["alert_id"]
    world.phone.card_shows(before, "Filled")
    world.telegram_fault("down", seconds=60)
    during = world.fire()
    assert during["order_status"] == "placed"
    world.until(lambda: len(world.ledger()) == 2, "both are ordered")

    world.clear_faults()
    world.phone.card_shows(during["alert_id"], "Filled 1 at ₹")
    world.phone.ask("/status", "Orders go out")


@pytest.mark.fault("TG-01")
def test_an_hour_without_telegram_holds_up_no_order_and_ends_in_one_summary_and_true_cards(world: World) -> None:
    """The hour passes by the paper clock; the wait before the next try is cut short with the desk down for a moment."""
    phone = world.phone
    before = [world.fire()["alert_id"] for _ in range(2)]
    for alert in before:
        phone.card_shows(alert, "Filled 1 at ₹")
        world.until(lambda alert=alert: len(phone.rings(alert)) == 1, "its fill rings")
    last_heard = max(message["message_id"] for message in phone.messages())
    open_before = open_orders(world)

    world.telegram_fault("down", seconds=600)
    filled = [world.fire()["alert_id"] for _ in range(4)]
    world.jump("2026-12-01T11:00")
    world.fault("place", "late_reject", text=NO_FUNDS)
    rejected = world.fire()["alert_id"]
    world.until(lambda: "REJECTED" in [order["orderStatus"] for order in world.ledger()], "Dhan rejects it")
    resting = world.fire(world.leg(orderType="LMT", price="1000"))["alert_id"]
    world.jump("2026-12-01T11:30")
    filled += [world.fire()["alert_id"] for _ in range(4)]
    standing = {**dict.fromkeys(filled, "TRADED"), rejected: "REJECTED", resting: "PENDING"}
    world.until(
        lambda: sorted(order["orderStatus"] for order in world.ledger()[2:]) == sorted(standing.values()),
        "every order has gone to Dhan, and has its end there, with Telegram away",
    )
    world.until(lambda: open_orders(world) == open_before + 1, "the desk knows it")
    assert max(message["message_id"] for message in phone.messages()) == last_heard

    world.desk.stop()
    world.let_time_pass(60)
    world.clear_faults()
    world.desk.start()
    world.is_ready()
    after = world.fire()["alert_id"]

    for alert in [*filled, after]:
        phone.card_shows(alert, "Filled 1 at ₹")
    phone.card_shows(rejected, "Rejected", NO_FUNDS)
    phone.card_shows(resting, "Placed at Dhan")
    labels = [f"{alert}.1" for alert in [*filled, rejected, after]]

    def tellings() -> dict[str, int]:
        later = [m["text"] for m in phone.messages() if m["message_id"] > last_heard and not is_card(m["text"])]
        return {label: sum(label in text.split() or f"· {label}" in text for text in later) for label in labels}

    world.until(lambda: all(tellings().values()), "each of their ends is told")
    world.until(lambda: not world.health()["oldest_unsent_message"], "nothing is owed any more")
    later = [message["text"] for message in phone.messages() if message["message_id"] > last_heard]
    assert tellings() == dict.fromkeys(labels, 1)
    assert len([text for text in later if "messages in one" in text]) == 1, later
    cards = [text.split("·")[1].strip() for text in later if is_card(text)]
    assert sorted(cards) == sorted(f"alert {alert}" for alert in [*standing, after]), "one card each"
    assert [len(phone.rings(alert)) for alert in before] == [1, 1]
    assert world.placements() == len(world.ledger()) == len([*before, *standing, after])

    phone.ask(f"/cancel {resting}")
    phone.card_shows(resting, "Cancelled at the exchange")


def is_card(text: str) -> bool:
    return text.startswith("PAPER · alert ")


@pytest.mark.fault("TG-18")
def test_a_card_whose_receipt_was_lost_is_sent_again_and_only_the_newest_has_working_buttons(world: World) -> None:
    world.jump("2026-11-28T14:00")
    world.telegram_fault("drop_after", method="sendMessage", text="Waiting for your tap")
    alert = world.fire()["alert_id"]

    def copies() -> list[dict[str, object]]:
        return [m for m in world.phone.messages() if f"alert {alert} ·" in str(m["text"])]

    world.until(lambda: len(copies()) == 2, "the card is sent again")
    lost = copies()[0]
    card = world.phone.card_shows(alert, "Waiting for your tap")
    answer = world.phone.answer_to(world.phone.touch(int(str(lost["message_id"])), card.buttons["Approve"]))
    assert answer == "This card is out of date; look at the newest one."
    assert world.phone.tap(alert, "Cancel") == "Cancelled"
    world.phone.card_shows(alert, "Cancelled before it was sent")
    assert world.placements() == 0


@pytest.mark.fault("TG-19")
def test_an_operator_whose_menu_cannot_be_set_is_listened_to_all_the_same(world: World) -> None:
    world.desk.stop()
    world.telegram_fault("status", method="setMyCommands", status=403, times=60)
    world.desk.start()
    world.is_ready()
    world.until(lambda: "Orders go out" in (world.phone.ask("/status") or ""), "the chat works")

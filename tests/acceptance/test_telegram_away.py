"""Telegram down or flaky: orders go out all the same, and afterwards the cards tell the truth."""

import pytest

from tests.world import World


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

"""The account from the chat: looked at, exited, and stopped at Dhan itself."""

from tests.world import World

FUTURE = {"instrument": "FUT", "productType": "M"}


def test_a_position_is_seen_and_exited_after_a_second_tap_that_counts_once(world: World) -> None:
    alert = world.fire(world.leg("NIFTY1!", **FUTURE))["alert_id"]
    world.phone.card_shows(alert, "Filled 65 at ₹")
    world.until(lambda: world.phone.rings(alert), "the fill rings")
    world.phone.ask("/positions", "+65 NIFTY-")
    world.phone.ask("/trades", "BUY 65 NIFTY-")
    world.phone.ask("/funds", "Available ₹")
    world.phone.ask("/pnl", "Today ")
    assert "holdings" in world.phone.ask("/holdings").lower()

    world.phone.ask("/flatten", "SELL 65 NIFTY-")
    world.phone.ask(f"/flatten {world.ledger()[0]['tradingSymbol']}", "SELL 65 NIFTY-")
    answer = world.phone.confirm("Yes, exit it")
    assert answer.startswith("Exiting, as ")
    exit_alert = int(answer.rpartition(" ")[2])
    world.phone.card_shows(exit_alert, "Filled 65 at ₹")
    assert [order["transactionType"] for order in world.ledger()] == ["BUY", "SELL"]
    world.until(lambda: world.phone.rings(exit_alert), "the exit rings")
    assert world.phone.ask("/flatten NOSUCH", "No open positions.") == "No open positions."


def test_dhans_own_switch_is_offered_and_refused_in_dhans_words_while_something_is_open(world: World) -> None:
    alert = world.fire(world.leg(orderType="LMT", price="1000"))["alert_id"]
    world.phone.card_shows(alert, "resting at ₹1,000.00")
    world.phone.ask("/killswitch", "kill switch is off")
    assert "pending orders" in world.phone.confirm("Stop all trading today")
    world.phone.ask(f"/cancel {alert}")
    world.phone.card_shows(alert, "Cancelled at the exchange")

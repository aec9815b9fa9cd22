"""The account from the chat: looked at, exited, and stopped at Dhan itself."""

from tests.integration.paper_dhan import wish
from tests.world import World

FUTURE = {"instrument": "FUT", "productType": "M"}
NTPC_ID = "11630"  # of a share that no other test of this world holds
CALL = {"instrument": "OPT", "productType": "M", "option_type": "CE", "strike_price": "26000"}


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
    assert world.phone.ask("/flatten NOSUCH", "No open position")


def test_a_sale_that_waits_is_given_up_for_the_exit_and_one_from_dhans_app_keeps_its_position(world: World) -> None:
    bought = world.fire(world.leg("NTPC"))["alert_id"]
    world.phone.card_shows(bought, "Filled 1 at ₹")
    theirs = {"transactionType": "SELL", "productType": "CNC", "orderType": "LIMIT", "price": 340}
    order_id = world.at_dhan("POST", "/orders", json=wish(**theirs, quantity=1, securityId=NTPC_ID)).json()["orderId"]
    assert f"SELL 1 NTPC (order {order_id}) is open at Dhan" in world.phone.ask("/flatten NTPC", "Not exited:")
    world.until(lambda: world.at_dhan("DELETE", f"/orders/{order_id}").is_success, "it is cancelled in Dhan's app")

    world.phone.ask("/policy approval always", "Set")
    waits = world.fire(world.leg("NTPC", transactionType="S"))["alert_id"]
    world.phone.card_shows(waits, "Waiting for your tap")
    world.phone.ask("/flatten NTPC", "SELL 1 NTPC", f"Instead of {waits}.1 SELL 1 NTPC")
    exit_alert = int(world.phone.confirm("Yes, exit it").rpartition(" ")[2])
    world.phone.card_shows(waits, "Cancelled before it was sent")
    world.phone.card_shows(exit_alert, "Filled 1 at ₹")
    assert world.phone.ask("/flatten NTPC", "No open position")
    world.phone.ask("/policy approval queued", "approval")
    assert "approval queued" in world.phone.confirm("Yes, loosen it")


def test_options_of_two_weeks_have_two_names_and_one_of_them_is_exited(world: World) -> None:
    for expiry in ("2026-12-08", "2026-12-15"):
        alert = world.fire(world.leg("NIFTY", **CALL, expiry_date=expiry))["alert_id"]
        world.phone.card_shows(alert, f"NIFTY-{expiry[-2:]}Dec2026-26000-CE", "Filled 65 at ₹")
    world.phone.ask("/positions", "NIFTY-08Dec2026-26000-CE", "NIFTY-15Dec2026-26000-CE")
    world.phone.ask("/trades", "NIFTY-08Dec2026-26000-CE", "NIFTY-15Dec2026-26000-CE")
    asked = world.phone.ask("/flatten NIFTY-15Dec2026-26000-CE", "SELL 65 NIFTY-15Dec2026-26000-CE")
    assert "08Dec" not in asked
    assert world.phone.confirm("Yes, exit it").startswith("Exiting, as ")


def test_dhans_own_switch_is_offered_and_refused_in_dhans_words_while_something_is_open(world: World) -> None:
    alert = world.fire(world.leg(orderType="LMT", price="1000"))["alert_id"]
    world.phone.card_shows(alert, "resting at ₹1,000.00")
    world.phone.ask("/killswitch", "kill switch is off")
    assert "pending orders" in world.phone.confirm("Stop all trading today")
    world.phone.ask(f"/cancel {alert}")
    world.phone.card_shows(alert, "Cancelled at the exchange")

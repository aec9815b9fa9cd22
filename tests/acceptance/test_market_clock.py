"""The market's clock from end to end: the gap before the open, a holiday, a changed calendar, and Dhan's own word."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.world import World
from tests.world.processes import ROOT, until

CLOSED = {"errorCode": "DH-906", "errorMessage": "Market is Closed! Want to place an offline order?"}
ASKING = ("calendar:", "yes:")
BLOCKED = {"errorCode": "DH-906", "errorMessage": "Markets are Offline or Blocked"}


def confirm(world: World, command: str) -> str:
    """Give a command that asks back, and tap its button; what the message then says."""
    before = len(questions(world))
    world.phone.act(text=command)
    asked = until(lambda: next(iter(questions(world)[before:]), None), "it asks back")
    [button] = asked["buttons"]
    answer = world.phone.answer_to(world.phone.touch(asked["message_id"], button["callback_data"]))
    assert answer == "Done" or answer.startswith("Changed: ")
    return until(lambda: answered(world, asked["message_id"]), "the question is answered")


def questions(world: World) -> list[dict[str, Any]]:
    """What asks about the calendar or the rules, and waits for a tap."""
    return [
        m for m in world.phone.messages() if any(b.get("callback_data", "").startswith(ASKING) for b in m["buttons"])
    ]


def answered(world: World, message: int) -> str | None:
    return next((m["text"] for m in world.phone.messages() if m["message_id"] == message and not m["buttons"]), None)


def test_before_the_open_an_order_waits_for_it_and_goes_as_a_regular_order(world: World) -> None:
    world.jump("2026-12-01T09:05")
    answer = world.fire()
    alert = answer["alert_id"]
    assert (answer["placement_mode"], answer["order_status"]) == ("queue", "awaiting_approval")
    world.phone.card_shows(alert, "Goes out Tue 1 Dec 09:15", "At the exchange Tue 1 Dec 09:15")
    world.phone.tap(alert, "Approve")
    assert world.ledger() == []

    world.jump("2026-12-01T09:15:01")
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert [order["afterMarketOrder"] for order in world.ledger()] == [False]


def test_on_a_holiday_an_order_waits_for_the_next_evening_or_sooner_with_a_tap(world: World) -> None:
    world.jump("2026-11-24T11:00")
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Guru Nanak Jayanti", "Goes out Wed 25 Nov 17:00", "At the exchange Thu 26 Nov 09:45")
    assert world.phone.tap(alert, "Sooner: Wed 25 Nov 09:15") == "Approved: reaches the exchange Wed 25 Nov 09:15"
    world.phone.card_shows(alert, "Queued", "At the exchange Wed 25 Nov 09:15")

    world.jump("2026-11-25T09:15:01")
    world.phone.card_shows(alert, "Filled 1 at ₹")
    assert [order["afterMarketOrder"] for order in world.ledger()] == [False]


def test_a_changed_calendar_moves_what_waits_and_says_what_moved(world: World) -> None:
    world.jump("2026-12-01T16:00")
    alert = world.fire()["alert_id"]
    world.phone.tap(alert, "Approve")
    world.phone.card_shows(alert, "At the exchange Wed 2 Dec 09:45")

    told = confirm(world, "/calendar close 2026-12-02 election")
    assert "Wed 2 Dec 2026, equity: closed (election)." in told
    assert f"{alert}.1 BUY 1 RELIANCE: The calendar changed" in told
    world.phone.card_shows(alert, "At the exchange Thu 3 Dec 09:45")
    shown = world.phone.ask("/calendar", "Changed by hand")
    world.phone.confirm("More days and hours")
    world.until(lambda: any("post-close" in m["text"] for m in world.phone.messages()), "the whole calendar")
    number = next(line.partition(".")[0] for line in shown.splitlines() if "(election)" in line and "By " in line)
    world.phone.ask(f"/calendar undo {number}", "No longer in force")
    world.phone.card_shows(alert, "At the exchange Wed 2 Dec 09:45")
    world.phone.tap(alert, "Cancel")


def test_when_dhan_calls_the_market_closed_the_card_offers_to_go_after_market(world: World) -> None:
    world.fault("place", "status", status=400, body=CLOSED)
    answer = world.fire()
    alert = answer["alert_id"]
    assert answer["order_status"] == "awaiting_approval"
    world.phone.card_shows(alert, "Waiting for your tap", "go after-market instead", "At the exchange Wed 2 Dec 09:45")
    world.phone.tap(alert, "Approve")
    world.phone.card_shows(alert, "Queued")

    world.jump("2026-12-01T17:00:01")
    world.phone.card_shows(alert, "Placed at Dhan", "At the exchange Wed 2 Dec 09:45")
    assert [order["afterMarketOrder"] for order in world.ledger()] == [True]


def test_when_dhan_is_blocked_the_order_is_held_and_goes_at_the_next_try(world: World) -> None:
    world.jump("2026-12-01T19:00")
    world.fault("place", "status", status=400, body=BLOCKED)
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Queued", "It is tried again Tue 1 Dec 19:01")
    world.pass_time(61)
    world.phone.card_shows(alert, "Placed at Dhan", "At the exchange Wed 2 Dec 09:45")
    assert (len(world.ledger()), world.placements()) == (1, 2)


@pytest.mark.parametrize("text", ["one line", "many lines"])
def test_what_if_tells_the_decision_and_leaves_no_trace(world: World, text: str) -> None:
    before = world.count_rows()
    body = json.dumps(json.loads(world.alert()), indent=1 if text == "many lines" else None)
    told = world.phone.ask(f"/whatif 2026-11-28T14:00 {body}", "What if")
    way = "leaves Mon 30 Nov 17:00 as an after-market order, reaches the exchange Tue 1 Dec 09:45."
    assert told.splitlines() == [
        "What if",
        "If it came Sat 28 Nov 2026 14:00:",
        f"BUY 1 RELIANCE on NSE: queue, {way}",
        "Saturday: the next after-market window opens Mon 30 Nov 17:00.",
        "You would be asked first.",
        "Or: At the open, Mon 30 Nov 09:15.",
    ]
    assert (world.count_rows(), world.ledger(), world.placements()) == (before, [], 0)


def test_what_if_on_the_command_line_leaves_no_trace_in_a_desk_that_runs(world: World, tmp_path: Path) -> None:
    file, before = tmp_path / "alert.json", world.count_rows()
    file.write_text(world.alert())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MUNSHI_DATA_DIR": str(world.settings.munshi_data_dir)}
    command = [sys.executable, "-m", "core", "whatif", str(file), "--at", "2026-12-01T10:30"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "BUY 1 RELIANCE on NSE: immediate." in done.stdout
    assert "It would go without a tap." in done.stdout
    assert world.fire(world.leg("NOSUCH"))["order_status"] == "refused", "the desk has looked at its rows since"
    assert (world.count_rows()["orders"], world.ledger(), world.placements()) == (before["orders"], [], 0)
    assert world.count_rows()["alerts"] == before["alerts"] + 1, "the one that was fired"


def test_tightening_works_at_once_and_loosening_after_a_tap(world: World) -> None:
    world.phone.ask("/policy approval always", "Set")
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "You approve every order")
    world.phone.tap(alert, "Cancel")
    assert "Changed: policy approval queued" in confirm(world, "/policy approval queued")
    assert world.fire()["order_status"] == "placed"


def test_an_order_above_a_hard_limit_is_refused_with_the_limit(world: World) -> None:
    world.phone.ask("/limits order_quantity hard 5", "Set")
    answer = world.fire(world.leg(quantity="6"))
    assert answer["order_status"] == "refused"
    world.phone.card_shows(answer["alert_id"], "Refused", "above your hard limit of 5")
    confirm(world, "/limits order_quantity hard off")
    assert world.placements() == 0

"""The restore drill: a backup under load, more orders, the backup put back, and nothing is sent twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.cli import main
from core.db import orders
from core.db.engine import Database
from core.domain.order import Order, OrderState
from tests.world import World

AT_DHAN = (OrderState.WORKING, OrderState.PART_FILLED, OrderState.FILLED)
SYMBOLS = ("INFY", "TCS", "SBIN", "ITC")


def known_orders(world: World) -> dict[int, Order]:
    """By alert."""
    database = Database(world.settings.database)
    with database.snapshot() as connection:
        found = {order.alert_id: order for order in orders.recent(connection, 1_000)}
    database.close()
    return found


@pytest.mark.fault("DB-15", "DB-16", "DP-08")
def test_a_backup_under_load_is_put_back_and_nothing_is_sent_twice(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUNSHI_DATA_DIR", str(world.settings.munshi_data_dir))
    backup = str(tmp_path / "drill.db")
    world.phone.ask("/pause", "Paused")
    held = [world.fire(world.leg(symbol))["alert_id"] for symbol in SYMBOLS]
    with ThreadPoolExecutor(4) as senders:
        load = [senders.submit(world.fire, world.leg(SYMBOLS[number % 4])) for number in range(12)]
        assert main(["backup", backup]) == 0
        assert all(sent.result() for sent in load)
    world.phone.ask("/resume", "go out")
    world.until(lambda: len(world.ledger()) == 16, "all of them are at Dhan")
    lost = world.fire(world.leg("INFY"))["alert_id"]
    world.until(lambda: len(world.ledger()) == 17, "one more is at Dhan")

    world.desk.stop()
    assert main(["restore", backup]) == 0
    assert lost not in known_orders(world)
    world.desk.start()
    world.until(
        lambda: all(known_orders(world)[alert].state in AT_DHAN for alert in held), "what went out since is found"
    )
    world.until(lambda: any("does not know" in m["text"] for m in world.phone.messages()), "what was lost is told")
    assert world.placements() == 17

    world.phone.ask("/resume", "go out")
    again = world.fire(world.leg("SBIN"))["alert_id"]
    world.phone.card_shows(again, "Filled")
    assert len(world.ledger()) == world.placements() == 18

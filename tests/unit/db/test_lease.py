"""One desk acts at a time, and an old one can be told from the one that took over."""

import asyncio
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from core.db import leases
from core.db.engine import Database
from core.db.leases import LASTS, Lease
from tests.builders import NOON, FrozenClock, address_of, fresh_database


def acquired(connection: Connection, holder: str, at: datetime = NOON, port: int = 9000) -> int | None:
    return leases.acquire(connection, holder=holder, nudge_port=port, at=at)


def test_the_first_desk_gets_the_lease(connection: Connection) -> None:
    assert leases.current(connection) is None
    assert acquired(connection, "a", port=9001) == 1
    assert leases.current(connection) == Lease(
        holder="a", epoch=1, nudge_port=9001, renewed_at=NOON, expires_at=NOON + LASTS
    )
    assert leases.hold(connection, 1, NOON)


def test_another_desk_waits_until_the_lease_has_run_out(connection: Connection, clock: FrozenClock) -> None:
    acquired(connection, "a")
    clock.advance(LASTS.total_seconds() - 0.001)
    assert acquired(connection, "b", clock.now()) is None
    clock.advance(0.001)
    assert acquired(connection, "b", clock.now()) == 2


def test_a_clock_that_was_set_back_keeps_nobody_out_for_longer(connection: Connection, clock: FrozenClock) -> None:
    acquired(connection, "a")
    clock.advance(-LASTS.total_seconds() + 0.001)
    assert acquired(connection, "b", clock.now()) is None
    clock.advance(-3600)
    assert acquired(connection, "b", clock.now()) == 2
    assert not leases.hold(connection, 1, clock.now())


def test_the_desk_before_can_neither_act_nor_renew_nor_release_after_another_took_over(connection: Connection) -> None:
    acquired(connection, "a")
    later = NOON + LASTS
    acquired(connection, "b", later)
    assert not leases.hold(connection, 1, later)
    assert not leases.renew(connection, holder="a", epoch=1, at=later)
    leases.release(connection, epoch=1, at=later)
    assert leases.hold(connection, 2, later)


def test_renewing_keeps_the_lease_and_its_epoch(connection: Connection) -> None:
    acquired(connection, "a")
    later = NOON + LASTS / 2
    assert leases.renew(connection, holder="a", epoch=1, at=later)
    assert leases.hold(connection, 1, later + LASTS / 2)
    assert acquired(connection, "b", later + LASTS / 2) is None


def test_a_desk_whose_lease_ran_out_goes_on_where_no_other_took_it(connection: Connection) -> None:
    acquired(connection, "a")
    late = NOON + LASTS
    assert leases.hold(connection, 1, late)
    assert acquired(connection, "b", late + LASTS / 2) is None
    assert acquired(connection, "b", late + LASTS) == 2
    assert not leases.hold(connection, 1, late + LASTS)


def test_the_same_desk_takes_its_lease_again_with_the_same_epoch(connection: Connection) -> None:
    acquired(connection, "a", port=9001)
    assert acquired(connection, "a", NOON + LASTS * 2, port=9002) == 1
    now = leases.current(connection)
    assert now is not None
    assert now.nudge_port == 9002


def test_a_released_lease_lets_the_next_desk_in_at_once(connection: Connection) -> None:
    acquired(connection, "a")
    leases.release(connection, epoch=1, at=NOON)
    assert acquired(connection, "b") == 2


async def test_of_two_processes_that_start_together_one_gets_it(tmp_path: Path) -> None:
    with closing(fresh_database(tmp_path)) as one, closing(Database(address_of(one))) as other:
        epochs = await asyncio.gather(one.write(lambda c: acquired(c, "a")), other.write(lambda c: acquired(c, "b")))
    assert sorted(epochs, key=str) == [1, None]

"""One desk acts at a time, and an old one can be told from the one that took over."""

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from core.db import leases
from core.db.engine import Database
from core.db.leases import GOOD_FOR, LASTS, MOST_APART, Lease, Vigil
from core.engine.clock_watch import agrees
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


def seen(renewed_at: datetime) -> Lease:
    return Lease(holder="a", epoch=1, nudge_port=1, renewed_at=renewed_at, expires_at=renewed_at + LASTS)


def test_a_desk_that_stands_by_takes_over_what_was_not_renewed_while_it_watched() -> None:
    ticks = 0.0
    vigil = Vigil(lambda: ticks)
    assert vigil.is_over(None, NOON), "nobody ever held it"
    assert not vigil.is_over(seen(NOON), NOON)
    ticks = 2.9
    assert not vigil.is_over(seen(NOON), NOON + LASTS * 2), "whatever the other clock says"
    ticks = 3.0
    assert vigil.is_over(seen(NOON), NOON)
    assert not vigil.is_over(seen(NOON + LASTS / 3), NOON), "it was renewed"


def test_a_lease_that_was_let_go_or_is_long_over_needs_no_watching() -> None:
    let_go = replace(seen(NOON), expires_at=NOON + LASTS / 3)
    assert Vigil().is_over(let_go, NOON)
    assert not Vigil().is_over(seen(NOON), NOON + LASTS + MOST_APART)
    assert Vigil().is_over(seen(NOON), NOON + LASTS + MOST_APART + timedelta(microseconds=1))


def test_two_desks_whose_clocks_both_count_as_right_do_not_take_turns(connection: Connection) -> None:
    ahead = timedelta(seconds=4)
    assert agrees(ahead)
    ticks = 0.0
    vigil = Vigil(lambda: ticks)
    assert acquired(connection, "a") == 1
    for tick in range(1, 240):
        ticks, true = tick / 2, NOON + timedelta(seconds=tick / 2)
        if tick % 2 == 0:
            assert leases.renew(connection, holder="a", epoch=1, at=true)
        assert not vigil.is_over(leases.current(connection), true + ahead)


def test_a_desk_that_may_act_may_do_so_for_a_while(connection: Connection) -> None:
    acquired(connection, "a")
    nearly_over = NOON + LASTS - timedelta(seconds=0.2)
    assert leases.hold(connection, 1, nearly_over)
    assert acquired(connection, "b", nearly_over + GOOD_FOR) is None


async def test_of_two_processes_that_start_together_one_gets_it(tmp_path: Path) -> None:
    with closing(fresh_database(tmp_path)) as one, closing(Database(address_of(one))) as other:
        epochs = await asyncio.gather(one.write(lambda c: acquired(c, "a")), other.write(lambda c: acquired(c, "b")))
    assert sorted(epochs, key=str) == [1, None]

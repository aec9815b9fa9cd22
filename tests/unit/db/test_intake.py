"""Taking alerts in: each body is stored once per wish, and its sender is told which of its copies this was."""

import asyncio
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, update

from core import journal
from core.db import alerts
from core.db.alerts import StoredAlert
from core.db.engine import Database
from core.db.tables import alerts as alert_rows
from core.db.tables import sources
from core.db.trouble import DatabaseUnavailable
from core.domain.alert import AlertState
from core.domain.identity import SAME_WISH_WITHIN, STALE_AFTER, Copy
from core.domain.source import IdenticalAlerts
from core.intake import MOST_UNNOTED, Arrival, Intake, Receipt, digest
from tests.builders import FrozenClock, address_of, fresh_database, locked

OVER_A_MINUTE = SAME_WISH_WITHIN + timedelta(seconds=1)


class Door:
    """Delivers bodies to an intake, as the web process does; `restart` is a new process on the same file."""

    def __init__(self, database: Database, clock: FrozenClock) -> None:
        self._database = database
        self._clock = clock
        self._intake = Intake(database)

    def arrival(self, body: str = "buy", *, refusal: str = "", age: float | None = None) -> Arrival:
        now = self._clock.now()
        return Arrival(
            digest=digest(body.encode()),
            text=body,
            source_id=1,
            received_at=now,
            fired_at=None if age is None else now - timedelta(seconds=age),
            refusal=refusal,
        )

    async def deliver(self, body: str = "buy", *, refusal: str = "", age: float | None = None) -> Receipt:
        return await self._intake.store(self.arrival(body, refusal=refusal, age=age))

    def answer(self, receipt: Receipt) -> None:
        self._intake.close(receipt, self._clock.now())

    def lose(self, receipt: Receipt) -> None:
        self._intake.close(receipt, None)

    async def note_answers(self) -> None:
        await self._intake.flush()

    async def serve(self, body: str = "buy", *, refusal: str = "", age: float | None = None) -> Receipt:
        """Deliver and answer."""
        receipt = await self.deliver(body, refusal=refusal, age=age)
        self.answer(receipt)
        return receipt

    def restart(self) -> None:
        self._intake = Intake(self._database)

    def trust(self, policy: IdenticalAlerts) -> None:
        with self._database.transaction() as connection:
            connection.execute(update(sources).values(identical_alerts=policy))

    def stored(self) -> list[StoredAlert]:
        with self._database.snapshot() as connection:
            return alerts.recent(connection, 1000)[::-1]

    def story(self, alert_id: int) -> list[tuple[str, str | None]]:
        with self._database.snapshot() as connection:
            return [(event.kind, event.after) for event in journal.story(connection, alert_id)]


@pytest.fixture
def door(database: Database, clock: FrozenClock) -> Door:
    return Door(database, clock)


def states(door: Door) -> list[AlertState]:
    return [alert.state for alert in door.stored()]


async def test_a_new_alert_is_stored_as_it_came_with_its_first_event(door: Door, clock: FrozenClock) -> None:
    receipt = await door.deliver("buy ten", age=3)
    [stored] = door.stored()
    assert (receipt.copy, receipt.alert_id, receipt.duplicate) == (Copy.NEW, stored.id, False)
    assert (stored.body, stored.state, stored.received_at) == ("buy ten", AlertState.RECEIVED, clock.now())
    assert stored.fired_at == clock.now() - timedelta(seconds=3)
    assert door.story(stored.id) == [("alert", "received")]


async def test_different_bodies_are_different_alerts(door: Door) -> None:
    receipts = [await door.serve(body) for body in ("buy", "buy ", "sell")]
    assert [receipt.copy for receipt in receipts] == [Copy.NEW] * 3
    assert len({receipt.alert_id for receipt in receipts}) == 3


async def test_a_copy_after_its_sender_was_lost_is_folded_into_the_first(door: Door) -> None:
    first = await door.deliver()
    door.lose(first)
    again = await door.deliver()
    assert (again.copy, again.duplicate, again.alert_id) == (Copy.RESEND, True, first.alert_id)
    [stored] = door.stored()
    assert stored.folded == 1
    assert door.story(first.alert_id)[-1] == ("resend", None)


async def test_a_copy_after_a_crash_before_the_answer_is_folded_into_the_first(door: Door) -> None:
    first = await door.deliver()
    door.restart()
    again = await door.deliver()
    assert (again.copy, again.alert_id) == (Copy.RESEND, first.alert_id)
    assert states(door) == [AlertState.RECEIVED]


async def test_a_resend_that_was_answered_answers_for_the_first(door: Door) -> None:
    await door.deliver()
    door.restart()
    again = await door.serve()
    third = await door.deliver()
    assert (third.copy, third.alert_id) == (Copy.REPEAT, again.alert_id)


async def test_a_copy_while_the_first_is_being_answered_waits_for_a_tap(door: Door) -> None:
    first = await door.deliver()
    second = await door.deliver()
    assert (second.copy, second.duplicate, second.alert_id) == (Copy.REPEAT, True, first.alert_id)
    assert states(door) == [AlertState.RECEIVED, AlertState.REPEAT]
    assert door.stored()[1].repeat_of == first.alert_id
    assert door.story(first.alert_id)[-1] == ("repeat", None)


@pytest.mark.parametrize("after", [0.0, 59.0, 60.0])
async def test_a_copy_within_a_minute_of_the_answer_waits_for_a_tap(
    database: Database, door: Door, clock: FrozenClock, after: float
) -> None:
    first = await door.serve()
    clock.advance(after)
    repeat = await door.deliver()
    assert repeat.copy is Copy.REPEAT
    assert await database.read(lambda c: alerts.waiting_repeats(c, first.alert_id)) == [repeat.row_id]


async def test_a_tap_makes_a_waiting_copy_an_alert_of_its_own_once(database: Database, door: Door) -> None:
    await door.serve()
    repeat = await door.serve()
    assert await database.write(lambda c: alerts.execute_repeat(c, repeat.row_id))
    assert not await database.write(lambda c: alerts.execute_repeat(c, repeat.row_id))
    assert states(door) == [AlertState.RECEIVED] * 2


async def test_a_waiting_copy_does_not_stretch_the_minute(door: Door, clock: FrozenClock) -> None:
    await door.serve()
    clock.advance(50)
    assert (await door.serve()).copy is Copy.REPEAT
    clock.advance(11)
    assert (await door.serve()).copy is Copy.NEW


async def test_a_body_without_a_firing_time_is_new_again_after_a_minute(door: Door, clock: FrozenClock) -> None:
    first = await door.serve()
    clock.advance(OVER_A_MINUTE)
    again = await door.serve()
    assert (again.copy, again.duplicate) == (Copy.NEW, False)
    assert again.alert_id != first.alert_id
    assert states(door) == [AlertState.RECEIVED] * 2


async def test_a_body_that_says_it_is_old_is_kept_with_its_reason_and_not_executed(
    door: Door, clock: FrozenClock
) -> None:
    first = await door.serve()
    clock.advance(timedelta(hours=1))
    replay = await door.serve(age=STALE_AFTER.total_seconds() + 1)
    assert (replay.copy, replay.duplicate) == (Copy.REPLAY, False)
    assert replay.alert_id != first.alert_id
    assert "executed before" in door.stored()[1].reason  # a reason makes the desk refuse it


async def test_a_first_copy_that_comes_late_is_still_taken(door: Door) -> None:
    assert (await door.serve(age=3600)).copy is Copy.NEW


async def test_a_source_may_have_every_copy_taken_as_an_alert(door: Door) -> None:
    door.trust(IdenticalAlerts.ACCEPT)
    receipts = [await door.serve(), await door.deliver(), await door.deliver()]
    assert [receipt.copy for receipt in receipts] == [Copy.NEW] * 3
    assert states(door) == [AlertState.RECEIVED] * 3


async def test_a_source_may_have_copies_within_the_minute_folded(door: Door, clock: FrozenClock) -> None:
    door.trust(IdenticalAlerts.FOLD)
    receipts = [await door.serve(), await door.serve(), await door.serve()]
    assert [receipt.copy for receipt in receipts] == [Copy.NEW, Copy.RESEND, Copy.RESEND]
    assert door.stored()[0].folded == 2
    clock.advance(OVER_A_MINUTE)
    assert (await door.serve()).copy is Copy.NEW


async def test_a_lost_answer_is_a_resend_even_where_copies_are_accepted(door: Door) -> None:
    door.trust(IdenticalAlerts.ACCEPT)
    await door.deliver()
    door.restart()
    assert (await door.deliver()).copy is Copy.RESEND


@pytest.mark.parametrize(
    ("policy", "copies"),
    [
        (IdenticalAlerts.ASK, [Copy.NEW, Copy.REPEAT, Copy.REPEAT]),
        (IdenticalAlerts.ACCEPT, [Copy.NEW, Copy.NEW, Copy.NEW]),
        (IdenticalAlerts.FOLD, [Copy.NEW, Copy.RESEND, Copy.RESEND]),
    ],
)
async def test_copies_in_one_commit_are_told_apart_like_any_others(
    door: Door, policy: IdenticalAlerts, copies: list[Copy]
) -> None:
    door.trust(policy)
    receipts = await asyncio.gather(
        door.deliver("buy"), door.deliver("sell"), door.deliver("buy"), door.deliver("buy"), door.deliver("hold")
    )
    assert [receipt.copy for receipt in (receipts[0], receipts[2], receipts[3])] == copies
    assert [receipts[1].copy, receipts[4].copy] == [Copy.NEW] * 2
    bodies = {alert.id: alert.body for alert in door.stored()}
    assert [bodies[receipt.row_id] for receipt in receipts] == ["buy", "sell", "buy", "buy", "hold"]


async def test_copies_in_one_commit_are_told_apart_when_an_older_one_was_answered_long_ago(
    door: Door, clock: FrozenClock
) -> None:
    await door.serve()
    clock.advance(OVER_A_MINUTE)
    receipts = await asyncio.gather(door.deliver(), door.deliver())
    assert [receipt.copy for receipt in receipts] == [Copy.NEW, Copy.REPEAT]
    assert states(door) == [AlertState.RECEIVED, AlertState.RECEIVED, AlertState.REPEAT]


async def test_an_answer_counts_for_the_very_next_copy(door: Door) -> None:
    door.lose(await door.deliver())
    assert (await door.deliver()).copy is Copy.RESEND


async def test_a_refused_alert_that_comes_again_within_the_minute_is_folded(door: Door, clock: FrozenClock) -> None:
    first = await door.serve(refusal="Leg 1: the quantity is missing.")
    again = await door.serve(refusal="Leg 1: the quantity is missing.")
    assert (again.copy, again.alert_id) == (Copy.RESEND, first.alert_id)
    assert [(alert.folded, alert.reason) for alert in door.stored()] == [(1, "Leg 1: the quantity is missing.")]
    clock.advance(OVER_A_MINUTE)
    assert (await door.serve(refusal="Leg 1: the quantity is missing.")).copy is Copy.NEW


async def test_a_copy_of_an_alert_that_was_taken_with_a_remark_waits_for_a_tap(door: Door, database: Database) -> None:
    first = await door.serve()
    with database.transaction() as connection:
        stored = alerts.get(connection, first.alert_id)
        remark = "The alert: timenow is not filled by TradingView."
        alerts.decided(connection, stored, AlertState.DECIDED, at=stored.received_at, reason=remark)
    assert (await door.serve()).copy is Copy.REPEAT


async def test_alerts_of_one_commit_are_numbered_as_they_came(door: Door) -> None:
    receipts = await asyncio.gather(*(door.deliver(body) for body in ("buy", "sell", "buy", "hold")))
    ids = [receipts[place].row_id for place in (0, 1, 3)]
    assert ids == sorted(ids)


async def test_a_body_of_yesterday_is_numbered_as_it_came_among_new_ones(door: Door, clock: FrozenClock) -> None:
    await door.serve("close")
    clock.advance(OVER_A_MINUTE)
    close, opened = await asyncio.gather(door.deliver("close"), door.deliver("open"))
    assert (close.copy, opened.copy) == (Copy.NEW, Copy.NEW)
    assert close.row_id < opened.row_id


async def test_the_answer_is_noted_with_its_time_on_the_row_that_it_answers(
    door: Door, database: Database, clock: FrozenClock
) -> None:
    first, other = await door.deliver(), await door.deliver("sell")
    clock.advance(2)
    door.answer(first)
    await door.note_answers()
    assert await database.read(answer_times) == {first.row_id: clock.now(), other.row_id: None}


async def test_answers_wait_to_be_noted_together_and_not_without_end(door: Door, database: Database) -> None:
    served = [await door.serve(f"buy {number}") for number in range(MOST_UNNOTED)]
    assert set((await database.read(answer_times)).values()) == {None}
    newest = await door.serve("sell")
    times = await database.read(answer_times)
    assert None not in [times[receipt.row_id] for receipt in served]
    assert times[newest.row_id] is None


async def test_a_copy_has_the_answers_noted_that_it_is_measured_against(door: Door, database: Database) -> None:
    first, other = await door.serve(), await door.serve("sell")
    assert (await door.deliver()).copy is Copy.REPEAT
    times = await database.read(answer_times)
    assert None not in (times[first.row_id], times[other.row_id])


async def test_a_noted_answer_outlives_the_process(door: Door, clock: FrozenClock) -> None:
    await door.serve()
    await door.note_answers()
    door.restart()
    assert (await door.serve()).copy is Copy.REPEAT
    clock.advance(OVER_A_MINUTE)
    assert (await door.serve()).copy is Copy.NEW


async def test_an_answer_that_died_with_the_process_before_it_was_noted_makes_the_next_copy_a_resend(
    door: Door,
) -> None:
    await door.serve()
    door.restart()
    assert (await door.deliver()).copy is Copy.RESEND


async def test_a_locked_database_stores_nothing_and_the_next_copy_is_new(tmp_path: Path, clock: FrozenClock) -> None:
    with closing(fresh_database(tmp_path, busy_timeout=0.02)) as database:
        door = Door(database, clock)
        with locked(address_of(database)), pytest.raises(DatabaseUnavailable):
            await door.deliver()
        assert door.stored() == []
        assert (await door.deliver()).copy is Copy.NEW


@pytest.mark.sqlite("the kernel lets its file not grow")
async def test_a_full_database_stores_nothing_and_says_so_in_the_desks_own_words(
    database: Database, door: Door
) -> None:
    def no_growth(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count=1")  # SQLite takes it as: not larger than now

    database.engine.dispose()
    event.listen(database.engine, "connect", no_growth)
    with pytest.raises(DatabaseUnavailable):
        await door.deliver("x" * 100_000)
    assert door.stored() == []


def answer_times(connection: Connection) -> dict[int, datetime | None]:
    return {row.id: row.answered_at for row in connection.execute(select(alert_rows.c.id, alert_rows.c.answered_at))}

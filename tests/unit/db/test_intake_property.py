"""Whatever happens to the copies of one body, at most one order is wished for without a tap in any minute."""

import asyncio
import tempfile
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.db.engine import Database
from core.db.tables import alerts
from core.domain.alert import AlertState
from core.domain.identity import SAME_WISH_WITHIN, Copy
from core.intake import Arrival, Intake, Receipt, digest
from tests.builders import FrozenClock, fresh_database

STEPS = st.one_of(
    st.tuples(st.just("deliver"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["answer", "lose"]), st.integers(0, 5)),
    st.tuples(st.just("crash"), st.just(0)),
    st.tuples(st.just("note"), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([1, 30, 59, 60, 61, 90, 121, 86_400])),
)


class Story:
    """One body's copies on their way through a web process that may die at any step."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = FrozenClock()
        self._intake = Intake(database)
        self._open: list[Receipt] = []
        self.receipts: list[Receipt] = []

    async def tell(self, step: str, number: int) -> None:
        match step:
            case "deliver":
                copies = await asyncio.gather(*(self._intake.store(self._arrival()) for _ in range(number)))
                self._open += copies
                self.receipts += copies
            case "answer" | "lose" if self._open:
                receipt = self._open.pop(number % len(self._open))
                self._intake.close(receipt, self._clock.now() if step == "answer" else None)
            case "crash":
                self._intake = Intake(self._database)
                self._open.clear()
            case "note":
                await self._intake.flush()
            case _:
                self._clock.advance(number if step == "wait" else 0)

    def _arrival(self) -> Arrival:
        return Arrival(digest=digest(b"buy"), text="buy", source_id=1, received_at=self._clock.now())


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=1, max_size=14))
def test_copies_of_one_body_wish_for_one_order_a_minute_at_most(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(fresh_database(Path(folder))) as database:
        story = Story(database)
        asyncio.run(run_through(story, steps))
        with database.snapshot() as connection:
            query = select(alerts).where(alerts.c.state == AlertState.RECEIVED).order_by(alerts.c.id)
            wished = connection.execute(query).all()
            stored = set(connection.execute(select(alerts.c.id)).scalars())
    times = [row.received_at for row in wished]
    assert all(later - earlier > SAME_WISH_WITHIN for earlier, later in pairwise(times))
    assert {receipt.alert_id for receipt in story.receipts} == {row.id for row in wished}
    assert {receipt.row_id for receipt in story.receipts} == stored
    assert sum(receipt.copy is Copy.RESEND for receipt in story.receipts) == sum(row.folded for row in wished)


async def run_through(story: Story, steps: list[tuple[str, int]]) -> None:
    for step, number in steps:
        await story.tell(step, number)

"""Many alerts at once, and an operator who wants out."""

from pathlib import Path

from desk_in_chat import TUESDAY, a_leg, opened
from sqlalchemy import Connection, func, select

from core import changes
from core.clock import SystemClock
from core.db.tables import alerts
from core.db.tables import changes as change_rows
from core.domain.order import Order, OrderState
from tests.builders import an_alert


async def test_a_flood_of_alerts_does_not_hold_up_a_cancellation(tmp_path: Path) -> None:
    async with opened(tmp_path) as chats:
        chats.jump(TUESDAY)
        resting = await chats.fire(a_leg(orderType="LMT", price="1000"))
        await chats.is_in(resting, OrderState.WORKING)

        async def past_the_broker() -> Order | None:
            """Until then Dhan refuses a cancellation, and the next try is half a second later."""
            [order] = await chats.orders(resting)
            return order if order.confirmed else None

        order = await chats.until(past_the_broker, "the order is past the broker's own checks")
        now = chats.parts.clock.now()

        def flood(connection: Connection) -> None:
            changes.cancel(connection, order, actor="operator 42", at=now)
            for _ in range(200):
                an_alert(connection, received_at=now, answered_at=now)

        await chats.parts.database.write(flood)
        chats.parts.desk.nudge()
        await chats.is_in(resting, OrderState.CANCELLED)

        ahead = chats.parts.clock.now() - SystemClock().now()
        last = await chats.parts.database.read(lambda c: c.execute(select(func.max(alerts.c.decided_at))).scalar_one())
        sent = await chats.parts.database.read(lambda c: c.execute(select(change_rows.c.sent_at)).scalar_one())
        assert sent < last - ahead, "it left before the last alert was decided"

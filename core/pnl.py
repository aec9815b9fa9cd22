"""What the account's positions stood at, whenever the desk looked. Between two looks nothing is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Connection, insert, select

from core.broker.account import Position
from core.clock import to_india
from core.db.tables import pnl_points

_COLUMNS = [pnl_points.c[name] for name in ("at", "realised", "unrealised", "open_positions")]


@dataclass(frozen=True, kw_only=True)
class Point:
    """Rupees, as Dhan counts them: positions of the day, before charges; shares held from earlier are not in it."""

    at: datetime
    realised: Decimal
    unrealised: Decimal
    open_positions: int

    @property
    def total(self) -> Decimal:
        return self.realised + self.unrealised


def record(connection: Connection, positions: Sequence[Position], at: datetime) -> Point:
    point = Point(
        at=at,
        realised=sum((position.realised for position in positions), Decimal(0)),
        unrealised=sum((position.unrealised for position in positions), Decimal(0)),
        open_positions=sum(position.net != 0 for position in positions),
    )
    connection.execute(insert(pnl_points), vars(point))
    return point


def points(connection: Connection, since: datetime, until: datetime) -> list[Point]:
    """From `since` until before `until`, oldest first."""
    query = select(*_COLUMNS).where(pnl_points.c.at >= since, pnl_points.c.at < until)
    return [Point(**row) for row in connection.execute(query.order_by(pnl_points.c.at, pnl_points.c.id)).mappings()]


def last(connection: Connection) -> Point | None:
    row = connection.execute(select(*_COLUMNS).order_by(pnl_points.c.id.desc()).limit(1)).mappings().first()
    return Point(**row) if row else None


def by_day(connection: Connection, since: datetime, until: datetime) -> dict[date, Point]:
    """The last look of each India day; a day without a look is not there."""
    return {to_india(point.at).date(): point for point in points(connection, since, until)}

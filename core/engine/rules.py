"""What one transaction of the desk keeps to, read once in it: whose turn it is, what holds, what the operator set."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core import controls, market_days, policies, restored
from core.controls import Hold
from core.db import leases
from core.domain.sessions import Calendar
from core.policies import Policies


class LeaseLost(Exception):
    """Another desk acts now; this one must stop at once."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`now` is the desk's time, `wall` the machine's; `holds` with their reasons: while there is one, nothing goes.

    `restored_through`: the last alert of the backup that this database was put back from, if it was.
    """

    epoch: int
    now: datetime
    wall: datetime
    calendar: Calendar
    policies: Policies
    holds: Mapping[Hold, str]
    restored_through: int

    @classmethod
    def read(cls, connection: Connection, *, epoch: int, now: datetime, wall: datetime, calendar: Calendar) -> "Rules":
        """`calendar` is the bundled one. Raises LeaseLost."""
        if not leases.hold(connection, epoch, wall):
            raise LeaseLost
        holds, found = controls.standing(connection, policies.KEY, restored.KEY)
        return cls(
            epoch=epoch,
            now=now,
            wall=wall,
            calendar=market_days.in_force(connection, calendar),
            policies=Policies.of(found.get(policies.KEY, {})),
            holds=holds,
            restored_through=restored.through(found.get(restored.KEY)),
        )

"""The lease that lets exactly one desk act. Its epoch grows with every new holder, so an old one can be told apart.

Times here are the machine's, never the paper clock's.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from core.clock import monotonic
from core.db.statement import Statement
from core.db.tables import leases

DESK = "desk"
LASTS = timedelta(seconds=3)
GOOD_FOR = LASTS / 2
"""For so long after a claim its desk may send, however slow its machine: the lease lasts longer then."""
MOST_APART = timedelta(seconds=10)
"""More than two clocks differ that both count as right: a lease that has been over for longer is nobody's."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    holder: str
    epoch: int
    nudge_port: int
    renewed_at: datetime
    expires_at: datetime

    @property
    def is_released(self) -> bool:
        return self.expires_at - self.renewed_at < LASTS

    def keeps_others_out(self, at: datetime) -> bool:
        """A lease from the future says that the clock was set back: its desk renews it in a second, or is dead."""
        return self.renewed_at - LASTS < at < self.expires_at


class Vigil:
    """What a desk that stands by sees of another's lease, by a clock that nobody can set: wall clocks differ."""

    def __init__(self, ticks: Callable[[], float] = monotonic) -> None:
        self._ticks = ticks
        self._seen: Lease | None = None
        self._since = 0.0

    def is_over(self, lease: Lease | None, at: datetime) -> bool:
        """Whether its desk let it go, is long gone, or has not renewed it while we watched for as long as it lasts."""
        if lease is None or lease.is_released or at - lease.expires_at > MOST_APART:
            return True
        if lease != self._seen:
            self._seen, self._since = lease, self._ticks()
        return self._ticks() - self._since >= LASTS.total_seconds()


_CURRENT = Statement(select(*(leases.c[field.name] for field in fields(Lease))).where(leases.c.name == DESK))


def current(connection: Connection) -> Lease | None:
    """Who holds the desk, or held it last."""
    return next((Lease(**row) for row in _CURRENT.mappings(connection)), None)


def acquire(connection: Connection, *, holder: str, nudge_port: int, at: datetime) -> int | None:
    """Take the lease when it is free, expired or ours already; the epoch, or None while another desk holds it."""
    now = current(connection)
    if now is not None and now.holder != holder and now.keeps_others_out(at):
        return None
    epoch = 1 if now is None else now.epoch if now.holder == holder else now.epoch + 1
    values = {
        "holder": holder,
        "epoch": epoch,
        "nudge_port": nudge_port,
        "renewed_at": at,
        "expires_at": at + LASTS,
    }
    taken = connection.execute(update(leases).where(leases.c.name == DESK).values(values))
    if taken.rowcount == 0:
        connection.execute(insert(leases).values(name=DESK, **values))
    return epoch


def renew(connection: Connection, *, holder: str, epoch: int, at: datetime) -> bool:
    """Keep the lease; False when it is no longer ours."""
    kept = connection.execute(
        update(leases)
        .where(leases.c.name == DESK, leases.c.holder == holder, leases.c.epoch == epoch)
        .values(renewed_at=at, expires_at=at + LASTS)
    )
    return kept.rowcount == 1


def release(connection: Connection, *, epoch: int, at: datetime) -> None:
    """Let the next desk in at once."""
    connection.execute(update(leases).where(leases.c.name == DESK, leases.c.epoch == epoch).values(expires_at=at))


def is_newest(connection: Connection, epoch: int) -> bool:
    """Whether no other desk has taken the lease since, even if it ran out."""
    now = current(connection)
    return now is None or now.epoch == epoch


def hold(connection: Connection, epoch: int, at: datetime) -> bool:
    """Whether the holder of this epoch may act; asked inside every claim, after which it may for GOOD_FOR.

    It is renewed for that where need be, also when it ran out on a slow disk, unless another desk has taken it.
    """
    now = current(connection)
    if now is None or now.epoch != epoch:
        return False
    return now.expires_at - at > GOOD_FOR or renew(connection, holder=now.holder, epoch=epoch, at=at)

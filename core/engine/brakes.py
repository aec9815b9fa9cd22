"""What an answer of Dhan's means for every call after it, whatever became of the order that it is about."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.broker.port import Refusal, Refused, Unknown
from core.clock import Clock, Moment
from core.controls import Hold
from core.db.engine import Database
from core.domain.notice import Notice
from core.engine.limiter import Limiter
from core.engine.words import explain
from core.logins import Session

REST = 1.0


@dataclass(frozen=True, kw_only=True)
class Brakes:
    """Put on at once: until somebody has asked what became of the order, others would have left."""

    database: Database
    session: Session
    limiter: Limiter

    async def heed(self, outcome: Refused | Unknown, serial: int, moment: Moment) -> None:
        """`serial`: of the token that was sent along."""
        match outcome.refusal:
            case Refusal.SIGNED_OUT:
                await self.session.die(outcome.words, serial)
            case Refusal.RATE_LIMITED:
                self.limiter.rest(REST)
            case Refusal.INVALID_IP:
                await _stop_for_address(self.database, outcome, moment.now)
            case Refusal.NO_ACCESS:
                await stop_sending(self.database, Hold.NO_ACCESS, explain(outcome), moment.now)
            case Refusal.KILL_SWITCH:
                await stop_sending(self.database, Hold.KILL_SWITCH, controls.KILL_SWITCH_IS_ON, moment.now)
            case Refusal.FINAL | Refusal.MARKET_CLOSED | Refusal.MARKET_OFFLINE | Refusal.IN_TRANSIT | None:
                pass
            case _:
                assert_never(outcome.refusal)


async def stop_sending(database: Database, hold: Hold, words: str, now: datetime) -> None:
    """With a ring, unless it is stopped in these words already."""
    await database.write(lambda connection: stop_in(connection, hold, words, now))


def stop_in(connection: Connection, hold: Hold, words: str, now: datetime) -> None:
    """The same within a transaction."""
    if controls.set_hold(connection, hold, words, at=now, actor=journal.DHAN):
        notifications.ring(connection, Notice.HELD, at=now, words=words)


def heed_address(database: Database, clock: Clock) -> Callable[[Refused], Awaitable[None]]:
    """What a call that is no order does when Dhan refuses it for our address: orders would be refused, too."""

    async def heed(refused: Refused) -> None:
        await _stop_for_address(database, refused, clock.now())

    return heed


async def _stop_for_address(database: Database, outcome: Refused | Unknown, now: datetime) -> None:
    """Reads come every second, and may say so in other words each time: the first ones stand. So does what a check of
    our address found, which ends by itself with its reason.
    """

    def stop(connection: Connection) -> None:
        if controls.set_by(connection, Hold.INVALID_IP) is None:
            stop_in(connection, Hold.INVALID_IP, explain(outcome), now)

    await database.write(stop)

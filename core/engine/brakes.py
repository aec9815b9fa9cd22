"""What an answer of Dhan's means for every call after it, whatever became of the order that it is about."""

from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.broker.port import Outcome, Refusal, Refused, Unknown
from core.clock import Moment
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

    async def heed(self, outcome: Outcome, serial: int, moment: Moment) -> None:
        """`serial`: of the token that was sent along."""
        if not isinstance(outcome, Refused | Unknown):
            return
        match outcome.refusal:
            case Refusal.SIGNED_OUT:
                await self.session.die(outcome.words, serial)
            case Refusal.RATE_LIMITED:
                self.limiter.rest(REST)
            case Refusal.INVALID_IP:
                await self._hold(Hold.INVALID_IP, explain(outcome), moment)
            case Refusal.NO_ACCESS:
                await self._hold(Hold.NO_ACCESS, explain(outcome), moment)
            case Refusal.FINAL | Refusal.MARKET_CLOSED | Refusal.MARKET_OFFLINE | Refusal.IN_TRANSIT | None:
                pass
            case _:
                assert_never(outcome.refusal)

    async def _hold(self, hold: Hold, words: str, moment: Moment) -> None:
        def set_hold(connection: Connection) -> None:
            if controls.set_hold(connection, hold, words, at=moment.now, actor=journal.DHAN):
                notifications.ring(connection, Notice.HELD, at=moment.now, words=words)

        await self.database.write(set_hold)

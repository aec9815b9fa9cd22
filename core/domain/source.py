"""Where alerts come from, and how far each source is trusted."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from core.domain.approval import ApprovalPolicy
from core.domain.limits import Limits
from core.domain.sessions import INDIA
from core.domain.trust import Trust, why_ask_by_trust


class IdenticalAlerts(StrEnum):
    """What to do with a body identical to one answered within the last minute: it may be an intended second order."""

    ASK = "ask"
    ACCEPT = "accept"
    FOLD = "fold"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A strategy with keys of its own, as its alerts are decided; the one without changes is the webhook's own.

    `approval` None: as the desk. `trust` None: no ladder. `approved_on` is the India day on which one of its alerts was
    approved last; `trust_set_at` and `paused_at` say which orders are older than what was taken back.
    `version` grows with every change, so that a tap on an older list is told.
    """

    id: int = 1
    name: str = "tradingview"
    version: int = 1
    identical_alerts: IdenticalAlerts = IdenticalAlerts.ASK
    paused_at: datetime | None = None
    removed_at: datetime | None = None
    approval: ApprovalPolicy | None = None
    limits: Limits = field(default_factory=Limits)
    trust: Trust | None = None
    automatic_below: Decimal | None = None
    trust_set_at: datetime | None = None
    approved_on: date | None = None

    @property
    def why_not_taken(self) -> str:
        """Why its alerts are refused, in a sentence; empty while they are taken."""
        if self.removed_at is not None:
            return f"Its source {self.name} was removed."
        return "" if self.paused_at is None else f"Its source {self.name} is paused: /sources {self.name} resume"


def why_ask(source: Source, value: Decimal | None, now: datetime) -> str:
    """Why the source's step on the trust ladder asks about an order of that value (₹); empty when it does not."""
    approved_today = source.approved_on == now.astimezone(INDIA).date()
    return why_ask_by_trust(
        source.name, source.trust, source.automatic_below, value=value, approved_today=approved_today
    )

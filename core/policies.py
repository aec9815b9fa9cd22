"""The operator's policies: what is asked about, what an order waits for and how long, and the limits.

They live in one settings row; what is not set there has the careful default.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from core import controls, journal
from core.db.limits import limits_of, limits_row
from core.domain.approval import ApprovalPolicy
from core.domain.identity import STALE_AFTER
from core.domain.limits import Limits
from core.domain.routing import ReleasePolicy
from core.errors import Refusal
from core.tickets import EquityProduct

ASKED_FOR = timedelta(hours=1)
MOST_DRIFT = Decimal(3)
KEY = "policies"
_PROPOSED = "policies_proposed"


class Unapproved(StrEnum):
    """What an order does that nobody approved before its window opens: ask once more, or expire there and then."""

    ASK = "ask"
    EXPIRE = "expire"


@dataclass(frozen=True, kw_only=True)
class Policies:
    """`entries` and `exits`: how long after its window opened such an order may still go; None: while it is open.

    `two_people`: entries worth more than that many rupees, or of unknown worth, need a yes of two approvers.

    `drift`: by how many per cent the price may move while an order waits before it is asked about; None: by any.
    """

    approval: ApprovalPolicy = ApprovalPolicy.QUEUED
    release: ReleasePolicy = ReleasePolicy.AMO
    unapproved: Unapproved = Unapproved.ASK
    stale: timedelta = STALE_AFTER
    entries: timedelta | None = None
    exits: timedelta | None = None
    drift: Decimal | None = MOST_DRIFT
    equity_product: EquityProduct = EquityProduct.CNC
    limits: Limits = field(default_factory=Limits)
    two_people: Decimal | None = None

    @classmethod
    def read(cls, connection: Connection) -> "Policies":
        return cls.of(controls.fetch(connection, KEY) or {})

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Policies":
        return cls(
            approval=ApprovalPolicy(stored.get("approval", ApprovalPolicy.QUEUED)),
            release=ReleasePolicy(stored.get("release", ReleasePolicy.AMO)),
            unapproved=Unapproved(stored.get("unapproved", Unapproved.ASK)),
            stale=_seconds(stored.get("stale")) or STALE_AFTER,
            entries=_seconds(stored.get("entries")),
            exits=_seconds(stored.get("exits")),
            drift=_number(stored.get("drift", str(MOST_DRIFT))),
            equity_product=EquityProduct(stored.get("equity_product", EquityProduct.CNC)),
            limits=limits_of(stored.get("limits", {})),
            two_people=None if stored.get("two_people") is None else Decimal(stored["two_people"]),
        )

    def patience(self, *, is_exit: bool) -> timedelta | None:
        return self.exits if is_exit else self.entries


def save(connection: Connection, policies: Policies, *, at: datetime, actor: str, words: str) -> None:
    """Store them all; `words` say what changed, for the journal."""
    controls.put(connection, KEY, _stored(policies), at=at, actor=actor)
    controls.drop(connection, _PROPOSED)
    journal.append(connection, journal.Event(at=at, actor=actor, kind="policy changed", reason=words))


def propose(connection: Connection, policies: Policies, *, at: datetime, actor: str, words: str) -> str:
    """Keep a change until a tap confirms it; returns the name that the tap must carry. A newer one replaces it."""
    name = secrets.token_urlsafe(9)
    proposal = {"name": name, "words": words, "policies": _stored(policies), "asked_at": at.isoformat()}
    controls.put(connection, _PROPOSED, proposal, at=at, actor=actor)
    return name


def accept(connection: Connection, name: str, *, at: datetime, actor: str) -> str:
    """Put a proposed change in force; returns its words. Raises Refusal."""
    asked = controls.fetch(connection, _PROPOSED)
    if asked is None or asked["name"] != name or abs(at - datetime.fromisoformat(asked["asked_at"])) > ASKED_FOR:
        raise Refusal("This change waits no more: give the command again.")
    save(connection, Policies.of(asked["policies"]), at=at, actor=actor, words=asked["words"])
    return f"Changed: {asked['words']}"


def _stored(policies: Policies) -> dict[str, Any]:
    return {
        "approval": policies.approval,
        "release": policies.release,
        "unapproved": policies.unapproved,
        "stale": policies.stale.total_seconds(),
        "entries": policies.entries and policies.entries.total_seconds(),
        "exits": policies.exits and policies.exits.total_seconds(),
        "drift": policies.drift,
        "equity_product": policies.equity_product,
        "two_people": None if policies.two_people is None else str(policies.two_people),
        "limits": limits_row(policies.limits),
    }


def _seconds(stored: float | None) -> timedelta | None:
    return None if stored is None else timedelta(seconds=stored)


def _number(stored: str | None) -> Decimal | None:
    return None if stored is None else Decimal(stored)

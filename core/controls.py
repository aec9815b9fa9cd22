"""What stops orders from going out: holds, each with its reason, set and lifted by the operator or by the desk.

A hold burns nothing: queued orders wait, and their cards say why. One more thing counts as a hold: live mode
that nobody confirmed.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from core import journal
from core.db import orders
from core.db.statement import Statement
from core.db.tables import settings
from core.domain.order import OrderState


class Hold(StrEnum):
    KILLED = "killed"
    PAUSED = "paused"
    SIGNED_OUT = "signed_out"
    INVALID_IP = "invalid_ip"
    NO_ACCESS = "no_access"
    KILL_SWITCH = "kill_switch"
    STARTING = "starting"
    CLOCK = "clock"
    NOT_LIVE = "not_live"


SAID_TO_ANYONE: Mapping[Hold, str] = MappingProxyType(
    {
        Hold.PAUSED: "Paused: /resume in the chat lets orders out again.",
        Hold.KILLED: "All sending was stopped: /unkill in the chat lets orders out again.",
        Hold.SIGNED_OUT: "Not signed in at Dhan: /login in the chat sends a link.",
        Hold.INVALID_IP: "Dhan does not take orders from this machine's address: /ip in the chat says more.",
        Hold.NO_ACCESS: "Dhan says that the account may not trade: /status in the chat says more.",
        Hold.KILL_SWITCH: "Dhan's kill switch is on: /killswitch in the chat turns it off.",
        Hold.STARTING: "The desk has just started and compares its rows with Dhan's book first.",
        Hold.CLOCK: "This machine's clock is in doubt: /status in the chat says more.",
        Hold.NOT_LIVE: "Live mode was not confirmed in the chat yet: send /golive.",
    }
)
"""A hold in words for whoever asks over HTTP. Its own reason names operators and orders, and is for them."""

KILL_SWITCH_IS_ON = "Dhan's kill switch is on: nothing goes out, exits included, until it is off (/killswitch)."
"""The reason under Hold.KILL_SWITCH, always the same: set twice, it is set once."""

_HOLD_KEYS = [f"hold.{hold}" for hold in Hold]
_HOLDS = Statement(select(settings.c.key, settings.c.value).where(settings.c.key.in_(_HOLD_KEYS)))
_ASKED_FOR = Statement(select(settings.c.key, settings.c.changed_at).where(settings.c.key.in_(_HOLD_KEYS)))
_STANDING = Statement(
    select(settings.c.key, settings.c.value).where(
        settings.c.key.in_(_HOLD_KEYS) | settings.c.key.in_(bindparam("beside", expanding=True))
    )
)
_ONE = Statement(select(settings.c.value).where(settings.c.key == bindparam("setting")))
_LIFTED_BY_RESUME = (Hold.PAUSED, Hold.INVALID_IP, Hold.NO_ACCESS, Hold.KILL_SWITCH)


def holds(connection: Connection) -> dict[Hold, str]:
    """The holds in force with their reasons; empty means that orders may go out."""
    return {Hold(key.removeprefix("hold.")): value["reason"] for key, value in _HOLDS.rows(connection)}


def standing(connection: Connection, *beside: str) -> tuple[dict[Hold, str], dict[str, Mapping[str, Any]]]:
    """The holds in force with their reasons, and the settings `beside` as far as they were set, in one query."""
    rows = dict(_STANDING.rows(connection, {"beside": list(beside)}))
    found = {key: rows.pop(key) for key in beside if key in rows}
    return {Hold(key.removeprefix("hold.")): value["reason"] for key, value in rows.items()}, found


def reasons_since(connection: Connection, at: datetime) -> list[str]:
    """Of the holds in force that were so at that moment already, but for that of a start, which lasts seconds."""
    rows = [(Hold(key.removeprefix("hold.")), value) for key, value in _HOLDS.rows(connection)]
    return [
        value["reason"]
        for hold, value in rows
        if hold is not Hold.STARTING and "since" in value and datetime.fromisoformat(value["since"]) <= at
    ]


def asked_for(connection: Connection) -> dict[Hold, datetime]:
    """The holds in force, and when each was set, or asked for once more."""
    return {Hold(key.removeprefix("hold.")): at for key, at in _ASKED_FOR.rows(connection)}


def set_by(connection: Connection, hold: Hold) -> str | None:
    """Who set the hold; None when it is not in force."""
    return connection.execute(select(settings.c.changed_by).where(settings.c.key == f"hold.{hold}")).scalar()


def set_at(connection: Connection, hold: Hold) -> datetime | None:
    """When the hold was set; None when it is not in force."""
    return connection.execute(select(settings.c.changed_at).where(settings.c.key == f"hold.{hold}")).scalar()


def set_hold(connection: Connection, hold: Hold, reason: str, *, at: datetime, actor: str) -> bool:
    """Stop sending for this reason; False when it was in force already in the same words."""
    before = fetch(connection, f"hold.{hold}") or {"since": at.isoformat()}
    if before.get("reason") == reason:
        return False
    put(connection, f"hold.{hold}", {**before, "reason": reason}, at=at, actor=actor)
    _tell(connection, f"{hold} hold set", reason, at=at, actor=actor)
    return True


def lift_hold(connection: Connection, hold: Hold, *, at: datetime, actor: str) -> bool:
    """Let orders out again as far as this hold goes; False when it was not in force."""
    lifted = connection.execute(delete(settings).where(settings.c.key == f"hold.{hold}"))
    if lifted.rowcount == 0:
        return False
    _tell(connection, f"{hold} hold lifted", "", at=at, actor=actor)
    return True


def pause(connection: Connection, *, at: datetime, actor: str) -> bool:
    """The operator's stop switch; False when it was on already, in which case the first reason stands."""
    if _ask_again(connection, Hold.PAUSED, at=at, actor=actor):
        return False
    return set_hold(connection, Hold.PAUSED, f"Paused by {actor}.", at=at, actor=actor)


def _ask_again(connection: Connection, hold: Hold, *, at: datetime, actor: str) -> bool:
    """For a hold that stands, so that a word from before, still under way, leaves it; False when it does not stand."""
    stands = fetch(connection, f"hold.{hold}")
    if stands is not None:
        put(connection, f"hold.{hold}", stands, at=at, actor=actor)
    return stands is not None


def on_the_way(connection: Connection) -> str:
    """What a stop says of orders that it no longer stops, since they are being sent; empty where there is none."""
    match orders.count(connection, OrderState.SUBMITTING):
        case 0:
            return ""
        case 1:
            return " One order was on its way to Dhan already: its card tells what becomes of it."
        case several:
            return f" {several} orders were on their way to Dhan already: their cards tell what becomes of them."


def resume(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    kill_switch_is_on: bool = False,
    stood: Mapping[Hold, datetime] | None = None,
) -> bool:
    """Let go of the stop switch, and try again after Dhan refused our address or access; False when nothing held.

    Not where Dhan's own switch is known to be on: that holds, since the next order would be refused for it. `stood`,
    as `asked_for` had it when the word to go on came: what was asked for since is a later word, and stays.
    """
    if kill_switch_is_on:
        follow_kill_switch(connection, True, at=at, actor=actor)
    wanted = [hold for hold in _LIFTED_BY_RESUME if not (kill_switch_is_on and hold is Hold.KILL_SWITCH)]
    if stood is not None:
        now = asked_for(connection)
        wanted = [hold for hold in wanted if stood.get(hold) == now.get(hold)]
    lifted = [hold for hold in wanted if lift_hold(connection, hold, at=at, actor=actor)]
    return bool(lifted)


def kill(connection: Connection, *, at: datetime, actor: str) -> bool:
    """Stop all sending, exits included, until `unkill`; False when it was on already. Cancellations go on."""
    if Hold.KILLED in holds(connection):
        return False
    return set_hold(connection, Hold.KILLED, f"Stopped by {actor} with /kill.", at=at, actor=actor)


def unkill(connection: Connection, *, at: datetime, actor: str) -> bool:
    """Let orders out again; each is checked anew, and one that should have gone long ago asks. False: it was not on."""
    return lift_hold(connection, Hold.KILLED, at=at, actor=actor)


def follow_kill_switch(connection: Connection, is_on: bool, *, at: datetime, actor: str) -> bool:
    """Hold while Dhan's own switch is on. False when nothing changed."""
    if not is_on:
        return lift_hold(connection, Hold.KILL_SWITCH, at=at, actor=actor)
    if _ask_again(connection, Hold.KILL_SWITCH, at=at, actor=actor):
        return False
    return set_hold(connection, Hold.KILL_SWITCH, KILL_SWITCH_IS_ON, at=at, actor=actor)


def put(connection: Connection, key: str, value: Mapping[str, Any], *, at: datetime, actor: str) -> None:
    """Store one operator setting."""
    values = {"value": value, "changed_at": at, "changed_by": actor}
    stored = connection.execute(update(settings).where(settings.c.key == key).values(values))
    if stored.rowcount == 0:
        connection.execute(insert(settings).values(key=key, **values))


def drop(connection: Connection, key: str) -> None:
    """Forget one operator setting."""
    connection.execute(delete(settings).where(settings.c.key == key))


def fetch(connection: Connection, key: str) -> Mapping[str, Any] | None:
    """One operator setting, or None when it was never set."""
    return next((value for (value,) in _ONE.rows(connection, {"setting": key})), None)


def _tell(connection: Connection, kind: str, reason: str, *, at: datetime, actor: str) -> None:
    journal.append(connection, journal.Event(at=at, actor=actor, kind=kind, reason=reason))
    for alert_id in {order.alert_id for order in orders.due(connection, at, limit=500)}:
        journal.touch_cards(connection, alert_id, at)

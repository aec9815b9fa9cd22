"""Every command in one table: it feeds the menu, /help, the access gate and the README's check."""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from core.settings import Role


class Purpose(StrEnum):
    LOOK = "Look"
    ACT = "Act"
    SAFETY = "Stop, and let go"
    ALERTS = "Alerts and rules"
    DESK = "The desk itself"


@dataclass(frozen=True, kw_only=True)
class Command:
    """`usage` shows the arguments; `role` is the least that may use it."""

    name: str
    summary: str
    purpose: Purpose
    role: Role
    usage: str = ""


COMMANDS = (
    Command(
        name="start",
        summary="What this desk does, and a first step",
        purpose=Purpose.LOOK,
        role=Role.VIEWER,
        usage="/start",
    ),
    Command(
        name="status",
        summary="The desk at a glance, and the day as a picture",
        purpose=Purpose.LOOK,
        role=Role.VIEWER,
        usage="/status day",
    ),
    Command(
        name="queue",
        summary="What waits, and for what",
        purpose=Purpose.LOOK,
        role=Role.VIEWER,
        usage="/queue RELIANCE",
    ),
    Command(name="orders", summary="The latest orders", purpose=Purpose.LOOK, role=Role.VIEWER),
    Command(name="order", summary="One alert's whole story", purpose=Purpose.LOOK, role=Role.VIEWER, usage="/order 41"),
    Command(
        name="why", summary="How an alert came to where it is", purpose=Purpose.LOOK, role=Role.VIEWER, usage="/why 41"
    ),
    Command(name="funds", summary="Money at Dhan", purpose=Purpose.LOOK, role=Role.VIEWER),
    Command(name="positions", summary="Open and closed positions of today", purpose=Purpose.LOOK, role=Role.VIEWER),
    Command(name="holdings", summary="Shares that the account owns", purpose=Purpose.LOOK, role=Role.VIEWER),
    Command(
        name="pnl",
        summary="Today's profit and loss, and its curves",
        purpose=Purpose.LOOK,
        role=Role.VIEWER,
        usage="/pnl 30",
    ),
    Command(name="trades", summary="Today's fills, from this desk or not", purpose=Purpose.LOOK, role=Role.VIEWER),
    Command(
        name="flatten",
        summary="Exit all positions, or one, at the market",
        purpose=Purpose.ACT,
        role=Role.APPROVER,
        usage="/flatten NIFTY-Dec2026-FUT",
    ),
    Command(
        name="killswitch", summary="Stop the whole account, at Dhan, for today", purpose=Purpose.SAFETY, role=Role.ADMIN
    ),
    Command(
        name="cancel",
        summary="Cancel an order, also at Dhan",
        purpose=Purpose.ACT,
        role=Role.APPROVER,
        usage="/cancel 41.1",
    ),
    Command(
        name="modify",
        summary="Change an order's price, quantity or trigger",
        purpose=Purpose.ACT,
        role=Role.APPROVER,
        usage="/modify 41.1 price=1410",
    ),
    Command(name="token", summary="The sign-in at Dhan, and how long it lasts", purpose=Purpose.DESK, role=Role.VIEWER),
    Command(
        name="ip", summary="The address that orders come from", purpose=Purpose.DESK, role=Role.VIEWER, usage="/ip set"
    ),
    Command(name="login", summary="Sign in at Dhan", purpose=Purpose.DESK, role=Role.APPROVER),
    Command(
        name="calendar",
        summary="Today's hours, holidays, and changes to them",
        purpose=Purpose.ALERTS,
        role=Role.VIEWER,
        usage="/calendar close 2026-12-03 election",
    ),
    Command(
        name="whatif",
        summary="What would become of an alert, and when",
        purpose=Purpose.ALERTS,
        role=Role.VIEWER,
        usage="/whatif 2026-12-01T16:00 {…}",
    ),
    Command(
        name="policy",
        summary="What is asked about, and how long things wait",
        purpose=Purpose.ALERTS,
        role=Role.APPROVER,
        usage="/policy approval always",
    ),
    Command(
        name="limits",
        summary="Above what an order asks, or is refused",
        purpose=Purpose.ALERTS,
        role=Role.APPROVER,
        usage="/limits order_value soft 50000",
    ),
    Command(
        name="export",
        summary="Orders, fills and messages as CSV, of a day or a span",
        purpose=Purpose.LOOK,
        role=Role.VIEWER,
        usage="/export 2026-11-01 2026-11-30",
    ),
    Command(
        name="notify",
        summary="What rings, comes silently, or not at all",
        purpose=Purpose.LOOK,
        role=Role.VIEWER,
        usage="/notify quiet 22:00-07:00",
    ),
    Command(
        name="sources",
        summary="Where alerts come from: keys, trust, limits of each",
        purpose=Purpose.ALERTS,
        role=Role.VIEWER,
        usage="/sources add swing",
    ),
    Command(
        name="alert",
        summary="Write the message for a TradingView alert",
        purpose=Purpose.ALERTS,
        role=Role.VIEWER,
        usage="/alert RELIANCE buy 10",
    ),
    Command(
        name="check",
        summary="Explain an alert, or the first mistakes in it",
        purpose=Purpose.ALERTS,
        role=Role.VIEWER,
        usage="/check {…}",
    ),
    Command(
        name="kill",
        summary="Stop this desk: nothing is sent, no exit either",
        purpose=Purpose.SAFETY,
        role=Role.APPROVER,
    ),
    Command(name="unkill", summary="Let orders out again after /kill", purpose=Purpose.SAFETY, role=Role.ADMIN),
    Command(name="mode", summary="Paper or live", purpose=Purpose.SAFETY, role=Role.VIEWER),
    Command(name="pause", summary="Send nothing until /resume", purpose=Purpose.SAFETY, role=Role.APPROVER),
    Command(name="resume", summary="Send again after /pause", purpose=Purpose.SAFETY, role=Role.APPROVER),
    Command(name="golive", summary="Confirm live trading, in live mode", purpose=Purpose.SAFETY, role=Role.ADMIN),
    Command(name="health", summary="Is everything well?", purpose=Purpose.DESK, role=Role.VIEWER),
    Command(name="settings", summary="How the desk is set up", purpose=Purpose.DESK, role=Role.VIEWER),
    Command(name="whoami", summary="Who you are to the desk", purpose=Purpose.DESK, role=Role.VIEWER),
    Command(
        name="clock",
        summary="The desk's time; on paper it can be moved",
        purpose=Purpose.DESK,
        role=Role.VIEWER,
        usage="/clock 2026-12-01T10:30",
    ),
    Command(name="logs", summary="The latest warnings of the log", purpose=Purpose.DESK, role=Role.ADMIN),
    Command(name="help", summary="All commands", purpose=Purpose.LOOK, role=Role.VIEWER),
)
STOPS = frozenset({"kill", "pause"})
"""Obeyed whatever is written behind them, and however late they come: who is in a hurry adds a word."""

BY_NAME = {command.name: command for command in COMMANDS}
_LADDER = (Role.VIEWER, Role.APPROVER, Role.ADMIN)


def may(role: Role, least: Role) -> bool:
    return _LADDER.index(role) >= _LADDER.index(least)


def nearest(word: str, role: Role) -> Command | None:
    """The command that was meant, among those that this role may use."""
    found = get_close_matches(word, [command.name for command in COMMANDS if may(role, command.role)], n=1)
    return BY_NAME[found[0]] if found else None

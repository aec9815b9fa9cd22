"""The readiness card's lines: what stands between the desk and the day's orders, and what cures it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from core.domain.money import rupees
from core.domain.sessions import INDIA, Closed, Day, Trading, Unknown, spoken, spoken_time

LITTLE_DISK, HARDLY_ANY_DISK = 1_000_000_000, 200_000_000
SOME_SKEW, MUCH_SKEW = timedelta(seconds=2), timedelta(seconds=30)


class Light(StrEnum):
    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class Cure(StrEnum):
    """What a button below the card does; LOOK_AGAIN where the cure lies outside the chat."""

    LOGIN = "login"
    REGISTER = "register"
    RESUME = "resume"
    UNKILL = "unkill"
    KILL_SWITCH = "kill_switch"
    GO_LIVE = "go_live"
    QUEUE = "queue"
    OPEN_TODAY = "open_today"
    CLOSE_TODAY = "close_today"
    LOOK_AGAIN = "look_again"


@dataclass(frozen=True, kw_only=True)
class Line:
    light: Light
    words: str
    cures: tuple[Cure, ...] = ()


def token_line(expires_at: datetime | None, needed: datetime | None, now: datetime, *, renews_itself: bool) -> Line:
    """`needed`: until when a sign-in should last today."""
    if expires_at is None or expires_at <= now:
        return Line(light=Light.RED, words="Not signed in at Dhan: orders would wait.", cures=(Cure.LOGIN,))
    words = f"Signed in at Dhan until {spoken(expires_at)}"
    if needed is not None and expires_at <= needed and not renews_itself:
        return Line(light=Light.RED, words=f"{words}: before the session ends.", cures=(Cure.LOGIN,))
    return Line(light=Light.GREEN, words=words)


def address_line(trouble: str | None) -> Line:
    """`trouble`: what is wrong with the address that orders come from, in a sentence."""
    if trouble:
        return Line(light=Light.RED, words=trouble, cures=(Cure.REGISTER, Cure.RESUME))
    return Line(light=Light.GREEN, words="Dhan takes orders from this address")


def funds_line(available: Decimal) -> Line:
    if available <= 0:
        return Line(light=Light.AMBER, words="No funds available at Dhan: what costs money will be rejected.")
    return Line(light=Light.GREEN, words=f"Funds {rupees(available)}")


def unknown_line(what: str, why: str, cure: Cure = Cure.LOOK_AGAIN) -> Line:
    return Line(light=Light.RED, words=f"{what} not known: {why}", cures=(cure,))


def calendar_line(shares: Day, with_derivatives: Day) -> Line:
    """Today's share market; shares with derivatives may stop earlier than the others."""
    match shares:
        case Trading():
            told = dict.fromkeys(_hours(day) for day in (shares, with_derivatives) if isinstance(day, Trading))
            return Line(light=Light.GREEN, words=f"Shares trade {', those with derivatives '.join(told)}")
        case Closed(reason):
            return Line(light=Light.AMBER, words=f"Shares do not trade today: {reason}")
        case Unknown(reason):
            cures = (Cure.OPEN_TODAY, Cure.CLOSE_TODAY)
            return Line(light=Light.RED, words=f"{reason} Every order is held.", cures=cures)


def _hours(day: Trading) -> str:
    return ", ".join(f"{spoken_time(span.opens)}–{spoken_time(span.closes)}" for span in day.sessions)


def queue_line(*, waiting: int, queued: int, doubtful: int, looked_up: int = 0, standing: str = "") -> Line:
    """How many orders wait for a tap, wait for their time, need a person because they are in doubt, and are looked up.

    `standing`: how the queue stands while nothing can go out, such as "held".
    """
    if doubtful:
        return Line(light=Light.RED, words=f"{doubtful} in doubt: only you can settle it.", cures=(Cure.QUEUE,))
    if looked_up:
        return Line(light=Light.AMBER, words=f"{looked_up} in doubt, being looked up at Dhan", cures=(Cure.QUEUE,))
    if waiting:
        words = f"Queue: {waiting} for your tap, {queued} for their time"
        return Line(light=Light.AMBER, words=words, cures=(Cure.QUEUE,))
    if queued and standing:
        return Line(light=Light.AMBER, words=f"Queue: {queued}, {standing}", cures=(Cure.QUEUE,))
    return Line(light=Light.GREEN, words=f"Queue: {queued}" if queued else "The queue is empty")


def clock_line(skew: timedelta | None) -> Line:
    """How far this machine's clock is ahead of Dhan's."""
    if skew is None:
        return Line(light=Light.AMBER, words="The clock was not compared with Dhan's yet")
    off = abs(skew).total_seconds()
    if abs(skew) > SOME_SKEW:
        light = Light.RED if abs(skew) > MUCH_SKEW else Light.AMBER
        words = f"This machine's clock is {off:.0f} s {'ahead' if skew > timedelta(0) else 'behind'}: set it right."
        return Line(light=light, words=words, cures=(Cure.LOOK_AGAIN,))
    return Line(light=Light.GREEN, words="The clock agrees with Dhan's")


def disk_line(free: int) -> Line:
    """`free` in bytes, where the database lies."""
    words = f"Disk: {free / 1e9:.1f} GB free"
    if free < LITTLE_DISK:
        light = Light.RED if free < HARDLY_ANY_DISK else Light.AMBER
        return Line(light=light, words=f"{words}: make room, or alerts cannot be stored.", cures=(Cure.LOOK_AGAIN,))
    return Line(light=Light.GREEN, words=words)


def last_alert_line(received_at: datetime | None, now: datetime) -> Line:
    """Nothing is wrong with silence; only a person knows whether it should be."""
    if received_at is None:
        return Line(light=Light.AMBER, words="No alert has ever come in")
    local = received_at.astimezone(INDIA)
    is_today = local.date() == now.astimezone(INDIA).date()
    when = f"today {local:%H:%M}" if is_today else spoken(received_at)
    ahead = ", before the clock was set back" if received_at > now else ""
    return Line(light=Light.GREEN, words=f"Last alert {when}{ahead}")


def most_pressing(lines: Iterable[Line]) -> list[Line]:
    """Red ones on top, and else in their order."""
    return sorted(lines, key=lambda line: list(Light)[::-1].index(line.light))

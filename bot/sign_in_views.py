"""What the operator reads about the sign-in and the address."""

from datetime import datetime, timedelta
from html import escape

from bot.text import day_time
from core.addresses import Proposal
from core.db.tokens import TokenAge
from core.domain.address import LOCKED_DAYS, Addresses, Registered
from core.domain.login import TAP_LIVES, Way
from core.domain.sessions import spoken_day
from core.errors import SignInNeeded

_WAYS = {
    Way.TOTP: "PIN and one-time code",
    Way.LINK: "a link in the chat",
    Way.WEB: "a token from web.dhan.co",
    Way.RENEWAL: "a renewed token from web.dhan.co",
}


def needed(why: SignInNeeded) -> str:
    """What is answered where nothing goes without a sign-in: the reason, and the way to one."""
    words = str(why).rstrip(".")
    return f"{words[:1].upper()}{words[1:]}. Send /login, then ask again."


def login_offer(living: TokenAge | None, count: str, now: datetime) -> str:
    """Above the link. `count`: one tap makes one of the day's consents, so the last ones are counted aloud."""
    lines = ["<b>Sign in at Dhan</b>"]
    if living is not None and living.expires_at > now:
        lines.append(f"Signed in until {day_time(living.expires_at)}; a new sign-in ends that one.")
    lines.append(f"Open the link and finish within {TAP_LIVES.seconds // 60} minutes, in the browser that it opens.")
    if count:
        lines.append(f"🟠 {count}")
    return "\n".join(lines)


def token(living: TokenAge | None, hold: str | None, now: datetime, why_no_new: str | None = None) -> str:
    """Source, age and hours left; never the token. `why_no_new`: another one was asked for in vain."""
    if living is None or living.expires_at <= now:
        return f"🔴 {escape(hold or 'Not signed in at Dhan. Send /login.')}"
    in_vain = f"🟠 No new sign-in: {escape(why_no_new)}\n\n" if why_no_new else ""
    return in_vain + "\n".join(
        (
            f"🟢 <b>Signed in at Dhan</b> by {_WAYS[living.source]}",
            f"{_hours(now - living.issued_at)} old, made {day_time(living.issued_at)}{_ahead(living, now)}",
            f"{_hours(living.left(now))} left, until {day_time(living.expires_at)}",
        )
    )


def _ahead(living: TokenAge, now: datetime) -> str:
    return ", before the paper clock was moved back" if living.issued_at > now else ""


def addresses(found: Addresses) -> str:
    trouble = found.trouble()
    standing = (
        f"🔴 {escape(trouble)}" if trouble else "🟢 Dhan takes orders from here" if found.allowed else "🔵 Registered"
    )
    here = f"\nThis machine {escape(found.detected)}" if found.detected else ""
    return f"{standing}\n\nPrimary {_slot(found.primary)}\nSecondary {_slot(found.secondary)}{here}"


def address_question(proposal: Proposal) -> str:
    """Names the lock, since seven days without orders cost more than a second look."""
    instead = f" in place of {escape(proposal.replaces)}" if proposal.replaces else ""
    return (
        f"Register <b>{escape(proposal.address)}</b> as the {proposal.slot.lower()} address at Dhan{instead}?\n\n"
        f"🟠 Dhan then fixes it for <b>{LOCKED_DAYS} days</b>: if this machine's address changes before, orders are "
        "refused until it is back. Nobody else may use the same address."
    )


def _slot(registered: Registered) -> str:
    fixed = f", fixed until {spoken_day(registered.free_from)}" if registered.address and registered.free_from else ""
    return f"{escape(registered.address) or '–'}{fixed}"


def _hours(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    return f"{minutes // 60} h {minutes % 60:02d} min"

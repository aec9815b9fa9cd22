"""`/sources`: what is typed or tapped, as a changed source; and sources as words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from bot import rules
from bot.arguments import read_amount
from bot.text import day_time, fit
from core.db.sources import Key, Watched
from core.domain import trust
from core.domain.approval import ApprovalPolicy, stricter
from core.domain.instrument import Market
from core.domain.silence import Bar, Watch
from core.domain.source import IdenticalAlerts, Source
from core.domain.trust import Trust
from core.errors import Refusal
from core.hops import is_reachable
from core.policies import Policies

USAGE = (
    "/sources add swing\n"
    "/sources swing\n"
    "/sources swing pause, resume, remove\n"
    "/sources swing rename trend\n"
    "/sources swing rotate, then retire (a new key, then an end to the old one)\n"
    "/sources swing trust paper|each|first|off, or automatic 25000\n"
    "/sources swing approval always|queued|never|desk\n"
    "/sources swing identical ask|accept|fold\n"
    "/sources swing limits order_value soft 50000\n"
    "/sources swing silence 3 15m, or 1 1d commodity, or off"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,23}")
_MOST_BARS = 500


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """A source as its list shows it."""

    source: Source
    keys: Sequence[Key]
    watched: Watched | None
    is_default: bool


def usage(fault: str) -> Refusal:
    return Refusal(f"{fault} For example:\n{USAGE}")


def read_name(word: str) -> str:
    """Raises Refusal: names go into cards, buttons and typed commands."""
    if not _NAME.fullmatch(word) or word.lower() == "add":
        raise usage("A name has 1 to 24 letters, digits, - or _.")
    return word


def change(source: Source, words: Sequence[str]) -> Source:
    """The source with one thing changed. Raises Refusal with the usage."""
    try:
        match [word.lower() for word in words]:
            case ["rename", _]:
                return replace(source, name=read_name(words[1]))
            case ["trust", *step]:
                return replace(source, **_trust(step))
            case ["approval", word]:
                return replace(source, approval=None if word == "desk" else ApprovalPolicy(word))
            case ["identical", word]:
                return replace(source, identical_alerts=IdenticalAlerts(word))
            case ["limits", _, *_]:
                return replace(source, limits=rules.change_limits(source.limits, list(words[1:])))
            case _:
                raise usage("That is nothing to do with a source.")
    except ValueError:
        raise usage(f"'{words[1]}' is no {words[0]} of a source.") from None


def _trust(words: Sequence[str]) -> dict[str, Any]:
    match words:
        case ["off"]:
            return {"trust": None, "automatic_below": None}
        case ["automatic", amount]:
            return {"trust": Trust.AUTOMATIC, "automatic_below": read_amount(amount)}
        case [step] if step != Trust.AUTOMATIC:
            return {"trust": Trust(step)}
        case _:
            raise usage("A step is paper, each, first, or automatic with the amount up to which nobody is asked.")


def loosens(before: Source, after: Source) -> bool:
    """Whether more may happen without a tap than before: such a change is confirmed."""
    return (
        trust.is_higher(after.trust, before.trust)
        or rules.loosens(_as_policies(before), _as_policies(after))
        or (after.identical_alerts is IdenticalAlerts.ACCEPT and before.identical_alerts is not after.identical_alerts)
        or (
            after.trust is before.trust is Trust.AUTOMATIC
            and (after.automatic_below or 0) > (before.automatic_below or 0)
        )
    )


def _as_policies(source: Source) -> Policies:
    return Policies(approval=stricter(ApprovalPolicy.NEVER, source.approval), limits=source.limits)


def read_watch(words: Sequence[str]) -> Watch | None:
    """`3 15m [market]` or `off`. Raises Refusal with the usage."""
    match [word.lower() for word in words]:
        case ["off"]:
            return None
        case [bars, bar, *rest] if len(rest) <= 1 and bars.isdecimal() and 1 <= int(bars[:6]) <= _MOST_BARS:
            if bar in set(Bar) and (not rest or rest[0] in set(Market)):
                return Watch(bars=int(bars), bar=Bar(bar), market=Market(rest[0]) if rest else Market.EQUITY)
            raise usage(f"A bar is one of {', '.join(Bar)}; a market one of {', '.join(Market)}.")
        case _:
            raise usage(f"Silence is told in bars: a number from 1 to {_MOST_BARS} and their length.")


def listed(found: Sequence[SourceFacts]) -> str:
    """All sources, a line or two each."""
    lines = ["<b>Sources</b>", ""]
    for facts in found:
        lines += [f"<b>{escape(facts.source.name)}</b>{_paused(facts.source)}", *_summary(facts), ""]
    return fit("\n".join([*lines, escape("/sources add NAME makes one; tap one to change it.")]))


def _summary(facts: SourceFacts) -> list[str]:
    source = facts.source
    return [escape(f"trust {trust.in_words(source.trust, source.automatic_below)}")]


def _paused(source: Source) -> str:
    return " · 🟠 paused" if source.paused_at is not None else ""


def shown(facts: SourceFacts) -> str:
    """One source with all its rules, its keys and who uses them."""
    source = facts.source
    approval = "as the desk" if source.approval is None else f"{source.approval}, or the desk's where that is stricter"
    lines = [
        f"trust: {trust.in_words(source.trust, source.automatic_below)}",
        f"approval: {approval}",
        f"identical alerts: {source.identical_alerts}",
        *(f"limit: {words}" for words in _limits(source)),
        f"silence: {_silence(facts.watched)}",
        *_keys(facts),
    ]
    return fit("\n".join([f"<b>{escape(source.name)}</b>{_paused(source)}", "", *(escape(line) for line in lines)]))


def _limits(source: Source) -> list[str]:
    return (
        rules.limit_words(source.limits)
        if source.limits.bounds or source.limits.allowed or source.limits.denied
        else []
    )


def _silence(watched: Watched | None) -> str:
    if watched is None:
        return "not watched"
    heard = f"last heard {day_time(watched.heard_at)}" if watched.heard_at else "not heard yet"
    return f"told after {watched.watch.words}; {heard}"


def _keys(facts: SourceFacts) -> list[str]:
    lines = ["address: /webhook with the secret in the alert"] if facts.is_default else []
    for key in facts.keys:
        age = "new key" if len(facts.keys) > 1 and key is facts.keys[-1] else "key"
        age = "old key" if len(facts.keys) > 1 and key is facts.keys[0] else age
        used = f"{_times(key.uses)}, last {day_time(key.used_at)}" if key.uses else "not used yet"
        lines.append(f"{age} of {day_time(key.made_at)}: {used}")
    return lines or ["no key"]


def _times(count: int) -> str:
    return f"{count} alert{'s' * (count != 1)}"


def new_key(name: str, url: str) -> str:
    """The one time that the key is shown."""
    return (
        f"The webhook address of <b>{escape(name)}</b>, shown this once:\n<code>{escape(url)}</code>\n"
        f"{way_there(url)}Its alerts need no secret. Delete this message when the address is in TradingView."
    )


def way_there(url: str) -> str:
    """What is missing before an alert arrives at a webhook's address, as a line; empty where TradingView reaches it."""
    if is_reachable(url):
        return ""
    return (
        "🟠 TradingView cannot reach this address: put a proxy or tunnel in front of it, its address in PUBLIC_URL.\n"
    )


def retired(name: str, uses: int) -> str:
    return f"The old key of {name} opens nothing any more; {_times(uses)} had come by it."

"""`/policy` and `/limits`: the operator's words to policies, and policies to words."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from bot.arguments import read_amount, read_length, read_percent
from core.domain.approval import ApprovalPolicy
from core.domain.limits import Bound, Limit, Limits
from core.domain.money import rupees
from core.domain.routing import ReleasePolicy
from core.errors import Refusal
from core.policies import Policies, Unapproved
from core.tickets import EquityProduct

POLICY_USAGE = (
    "/policy approval queued|always|never\n"
    "/policy release amo|open\n"
    "/policy unapproved ask|expire\n"
    "/policy stale 2m\n"
    "/policy entries 30m|window\n"
    "/policy exits 4h|window\n"
    "/policy drift 3%|off\n"
    "/policy equity_product cnc|as_sent\n"
    "/policy two_people 500000|off"
)
LIMITS_USAGE = (
    "/limits order_value soft 50000\n"
    "/limits order_quantity hard 500\n"
    "/limits symbol_value|day_value|day_orders soft|hard AMOUNT|off\n"
    "/limits allow TCS INFY, /limits deny IDEA, /limits clear TCS"
)


def policy_words(policies: Policies) -> list[str]:
    return [
        f"approval: {policies.approval} ({_APPROVAL[policies.approval]})",
        f"release: {policies.release} ({_RELEASE[policies.release]})",
        f"unapproved: {policies.unapproved} ({_UNAPPROVED[policies.unapproved]})",
        f"stale: an alert older than {_length(policies.stale)} asks",
        f"entries: {_patience(policies.entries)}",
        f"exits: {_patience(policies.exits)}",
        f"two_people: {_two_people(policies.two_people)}",
        f"drift: {_drift(policies.drift)}",
        f"equity_product: {policies.equity_product} ({_EQUITY[policies.equity_product]})",
    ]


def _two_people(most: Decimal | None) -> str:
    if most is None:
        return "off (one approver is enough)"
    return f"entries above {rupees(most)}, or of unknown worth, need two approvers"


_APPROVAL = {
    ApprovalPolicy.QUEUED: "what has to wait is asked about",
    ApprovalPolicy.ALWAYS: "every order is asked about",
    ApprovalPolicy.NEVER: "nothing is asked about but what the limits and the calendar ask",
}
_RELEASE = {
    ReleasePolicy.AMO: "what waits goes in the next after-market window",
    ReleasePolicy.OPEN: "what waits goes at the next open",
}
_UNAPPROVED = {
    Unapproved.ASK: "asked once more when its window opens",
    Unapproved.EXPIRE: "expires when its window opens",
}
_EQUITY = {
    EquityProduct.CNC: "shares are taken for delivery, whatever the alert says",
    EquityProduct.AS_SENT: "shares go intraday or for delivery, as the alert says",
}


def _patience(length: timedelta | None) -> str:
    return "go while their window is open" if length is None else f"go within {_length(length)} of their window's start"


def _drift(most: Decimal | None) -> str:
    if most is None:
        return "off (an order that waited goes at any price)"
    return f"{most:f}% (what waited asks when its price moved further, where Dhan's data plan tells the price)"


def _length(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def change_policy(policies: Policies, words: list[str]) -> Policies:
    """The policies with one of them changed. Raises Refusal with the usage."""
    try:
        match [word.lower() for word in words]:
            case ["approval", word]:
                return replace(policies, approval=ApprovalPolicy(word))
            case ["release", word]:
                return replace(policies, release=ReleasePolicy(word))
            case ["unapproved", word]:
                return replace(policies, unapproved=Unapproved(word))
            case ["stale", word]:
                return replace(policies, stale=read_length(word))
            case ["entries", word]:
                return replace(policies, entries=_window_or_length(word))
            case ["exits", word]:
                return replace(policies, exits=_window_or_length(word))
            case [("two_people" | "drift") as name, word]:
                read = read_amount if name == "two_people" else read_percent
                return replace(policies, **{name: None if word == "off" else read(word)})
            case ["equity_product", word]:
                return replace(policies, equity_product=EquityProduct(word))
            case _:
                raise Refusal(f"That is no policy. For example:\n{POLICY_USAGE}")
    except ValueError:
        raise Refusal(f"'{words[1]}' is no {words[0]} policy. For example:\n{POLICY_USAGE}") from None


def _window_or_length(word: str) -> timedelta | None:
    return None if word == "window" else read_length(word)


def loosens(before: Policies, after: Policies) -> bool:
    """Whether more may happen without a tap than before: such a change is confirmed."""
    ladder = (ApprovalPolicy.ALWAYS, ApprovalPolicy.QUEUED, ApprovalPolicy.NEVER)
    return ladder.index(after.approval) > ladder.index(before.approval) or (
        after.stale > before.stale
        or _is_longer(after.entries, before.entries)
        or _is_longer(after.exits, before.exits)
        or _is_higher(after.drift, before.drift)
        or (before.equity_product, after.equity_product) == (EquityProduct.CNC, EquityProduct.AS_SENT)
        or _is_higher(after.two_people, before.two_people)
        or _limits_loosen(before.limits, after.limits)
    )


def _is_longer(after: timedelta | None, before: timedelta | None) -> bool:
    return before is not None and (after is None or after > before)


def _limits_loosen(before: Limits, after: Limits) -> bool:
    if before.denied - after.denied or (before.allowed and (not after.allowed or after.allowed - before.allowed)):
        return True
    return any(
        _is_higher(getattr(after.bounds.get(limit, Bound()), kind), getattr(bound, kind))
        for limit, bound in before.bounds.items()
        for kind in ("soft", "hard")
    )


def _is_higher(after: Decimal | None, before: Decimal | None) -> bool:
    return before is not None and (after is None or after > before)


def limit_words(limits: Limits) -> list[str]:
    lines = [
        f"{limit}: soft {_amount(limit, bound.soft)}, hard {_amount(limit, bound.hard)} ({limit.words})"
        for limit, bound in limits.bounds.items()
    ]
    lines += [_ASKS_EVERY_TIME] if any(limit.is_money for limit in limits.bounds) else []
    lines += [f"allowed: {', '.join(sorted(limits.allowed))}"] if limits.allowed else []
    lines += [f"denied: {', '.join(sorted(limits.denied))}"] if limits.denied else []
    return lines or ["There are no limits."]


_ASKS_EVERY_TIME = (
    "What a market order is worth is not known before its fill, so with a limit in rupees every market order asks. "
    "Limit orders are checked by their price; on MCX and in currencies, where orders count lots, they ask too."
)


def consequences(before: Policies, after: Policies) -> list[str]:
    """What a change does besides what it says: sentences for the one who makes it."""
    has_money = [any(limit.is_money for limit in each.limits.bounds) for each in (before, after)]
    return [_ASKS_EVERY_TIME] if has_money == [False, True] else []


def _amount(limit: Limit, amount: Decimal | None) -> str:
    return "off" if amount is None else limit.spoken(amount)


def change_limits(limits: Limits, words: list[str]) -> Limits:
    """The limits with one of them changed. Raises Refusal with the usage."""
    match [words[0].lower() if words else "", *words[1:]]:
        case ["allow", _, *_]:
            return replace(limits, allowed=limits.allowed | _symbols(words[1:]))
        case ["deny", _, *_]:
            return replace(limits, denied=limits.denied | _symbols(words[1:]))
        case ["clear", _, *_]:
            gone = _symbols(words[1:])
            return replace(limits, allowed=limits.allowed - gone, denied=limits.denied - gone)
        case [name, ("soft" | "hard") as kind, amount] if name in set(Limit):
            return _bounded(limits, Limit(name), kind, None if amount.lower() == "off" else read_amount(amount))
        case _:
            raise Refusal(f"That is no limit. For example:\n{LIMITS_USAGE}")


def _symbols(words: list[str]) -> frozenset[str]:
    return frozenset(word.strip(",").upper() for word in words)


def _bounded(limits: Limits, limit: Limit, kind: str, amount: Decimal | None) -> Limits:
    before = limits.bounds.get(limit, Bound())
    bound = replace(before, soft=amount) if kind == "soft" else replace(before, hard=amount)
    if bound.soft is not None and bound.hard is not None and bound.soft > bound.hard:
        raise Refusal("The soft limit must not lie above the hard one.")
    others = {each: kept for each, kept in limits.bounds.items() if each is not limit}
    empty = bound.soft is None and bound.hard is None
    return replace(limits, bounds=others if empty else {**others, limit: bound})

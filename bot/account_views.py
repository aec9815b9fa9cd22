"""The account as the operator reads it. Every text from outside is escaped here."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from html import escape

from bot.text import fit, one_line, quoted, rupees
from core.broker.account import Fill, Funds, Holding, Position
from core.domain.instrument import spoken_name
from core.domain.order import Order
from core.domain.sessions import spoken
from core.exits import Exit, ExitPlan

_HIDDEN = (
    "An entry of Dhan's book cannot be read: look in Dhan's app for an open order first. "
    "With it, an exit could turn a position round."
)
_UNSEEN = "Forever (GTT) orders and conditional alerts at Dhan are not seen here, and stay: see to them in Dhan's app."
"""Dhan keeps them apart from its order book; the legs of its super orders are in it."""

_HELD = "🟠 Nothing goes out now, exits included: after your yes it waits until this is over."
_OWNED = "Shares that the account owns are no position, and are not exited here: /holdings lists them."


def funds(found: Funds) -> str:
    return "\n".join(
        [
            "<b>Funds</b>",
            "",
            f"Available {rupees(found.available)}",
            f"Used {rupees(found.used)}",
            f"At the start of the day {rupees(found.opening)}",
            f"Collateral {rupees(found.collateral)}",
            f"From sold deliveries {rupees(found.receivable)}",
            f"Can be withdrawn {rupees(found.withdrawable)}",
        ]
    )


def positions(found: Sequence[Position]) -> str:
    if not found:
        return "No positions today."
    lines = ["<b>Positions</b>", ""]
    for position in sorted(found, key=lambda p: p.net == 0):
        name = escape(spoken_name(position.segment, position.symbol))
        what = f"<b>{position.net:+d} {name}</b>" if position.net else name
        detail = f"at {quoted(position.average)} · " if position.net else "closed · "
        lines += [what, f"{detail}{escape(position.product_name.lower())} · {gain(_result(position))}"]
    return fit("\n".join(lines))


def holdings(found: Sequence[Holding]) -> str:
    if not found:
        return "No holdings."
    lines = ["<b>Holdings</b>", ""]
    for holding in found:
        locked = f", {holding.sellable} can be sold" if holding.sellable != holding.total else ""
        lines.append(f"<b>{holding.total} {escape(holding.symbol)}</b> at {quoted(holding.average)}{locked}")
    return fit("\n".join(lines))


def pnl(found: Sequence[Position]) -> str:
    realised = sum((position.realised for position in found), Decimal(0))
    unrealised = sum((position.unrealised for position in found), Decimal(0))
    lines = [
        f"<b>Today {gain(realised + unrealised)}</b>",
        "",
        f"Realised {gain(realised)}",
        f"Unrealised {gain(unrealised)}",
    ]
    lines += [
        f"{escape(spoken_name(position.segment, position.symbol))} {gain(_result(position))}" for position in found
    ]
    return fit("\n".join([*lines, "", "As Dhan counts it, before charges."]))


def trades(found: Sequence[Fill]) -> str:
    if not found:
        return "No trades today."
    lines = ["<b>Trades of today</b>", ""]
    for fill in found:
        side = fill.side or "?"
        name = escape(spoken_name(fill.segment, fill.symbol))
        lines.append(f"{escape(fill.at[-8:])} {side} {fill.quantity} {name} at {quoted(fill.price)}")
    return fit("\n".join(lines))


def flatten(
    plan: ExitPlan,
    symbol: str | None = None,
    held: Sequence[str] = (),
    owned: Sequence[str] = (),
    *,
    holds: Collection[str] = (),
    staying: Sequence[str] = (),
) -> str:
    """Names and sizes of what a yes would exit, when that is not at once, and what to look for first; and what it
    cannot. `staying` are the orders that may open a position again after it, `held` the symbols that are open, `owned`
    those of the holdings, `symbol` the one that was asked for, `holds` why nothing goes out now.
    """
    lines = ["<b>Exit at the market</b>", ""] if plan.exits else []
    if plan.exits and holds:
        lines += [_HELD, *(f"🟠 {one_line(reason)}" for reason in holds), ""]
    for exit_ in plan.exits:
        product = exit_.product.replace("_", " ").lower()
        name = spoken_name(exit_.instrument.segment, exit_.instrument.symbol)
        lines.append(f"<b>{exit_.side} {exit_.quantity} {escape(name)}</b> · {product}")
        lines += _later(exit_)
        lines += [f"Instead of {escape(_unsent(order))}, which has not gone out." for order in exit_.replaces]
    lines += ["", *(f"Stays open and may open it again: {escape(order)}" for order in staying)] if staying else []
    if plan.exits and not plan.book_is_whole:
        lines += ["", _HIDDEN]
    if plan.exits:
        lines += ["", _UNSEEN]
    if plan.left:
        lines += ["", "Not exited:", *(escape(words) for words in plan.left)]
    if plan.not_open:
        lines += ["", "Not open:", *(escape(words) for words in plan.not_open)]
    return fit("\n".join(lines)).strip() or _nothing_open(symbol, held, owned)


def _later(exit_: Exit) -> list[str]:
    """Why and until when it waits, and the way that is sooner; nothing of one that goes at once."""
    if exit_.reaches_later is None:
        return []
    when = spoken(exit_.reaches_later)
    lines = [f"Not now. {escape(exit_.decision.reason).replace(when, f'<b>{when}</b>')}"]
    if any(way.into_auction for way in exit_.decision.alternatives):
        lines.append("Sooner: the closing auction, by a button on its card after your yes.")
    return lines


def _nothing_open(symbol: str | None, held: Sequence[str], owned: Sequence[str]) -> str:
    is_owned = bool(owned) if symbol is None else symbol in [each.upper() for each in owned]
    tail = f" {_OWNED}" if is_owned else ""
    if symbol is None or not held:
        return f"No open positions.{tail}"
    return fit(f"No open position in {escape(symbol)}. Open: {escape(', '.join(held))}.{tail}")


def exiting(
    alerts: Sequence[int], exits: Sequence[Exit], changed: Sequence[str], *, holds: Collection[str] = ()
) -> str:
    """What became of the yes: the exits by their alerts' numbers, and the names of what is not as it was confirmed.
    `holds`: why nothing goes out now."""
    by_number = list(zip(alerts, exits, strict=True))
    at_once = [str(number) for number, exit_ in by_number if exit_.reaches_later is None]
    said = [f"{'Held' if holds else 'Exiting'}, as {', '.join(at_once)}"] if at_once else []
    for number, exit_ in by_number:
        if exit_.reaches_later is not None:
            how = "goes as an after-market order" if exit_.decision.as_amo else "waits"
            said.append(f"{number} {how} and reaches the exchange {spoken(exit_.reaches_later)}")
    said += [reason.rstrip(".") for reason in holds]
    if changed:
        said.append(f"Not exited, since they have changed: {', '.join(changed)}. Look again")
    return ". ".join(said)


def _unsent(order: Order) -> str:
    return f"{order.label} {order.side} {order.quantity} {spoken_name(order.segment, order.symbol)}"


def gain(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{rupees(abs(amount))}"


def _result(position: Position) -> Decimal:
    return position.realised + position.unrealised

"""Prices on the exchange's grid, and the limit that stands in for a stop at the market."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from core.domain.alert import InstrumentKind, Side

_SHARES_AND_FUTURES = ((100, "0.02"), (500, "0.01"), (None, "0.005"))
_OPTIONS = ((10, "0.05"), (100, "0.03"), (500, "0.02"), (None, "0.01"))


def on_tick(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """The price itself, or the next one on the grid that is no worse for this side than what was asked."""
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return max((price / tick).quantize(Decimal(1), rounding), Decimal(1)) * tick


def trigger_on_tick(trigger: Decimal, tick: Decimal) -> Decimal:
    """The nearest trigger on the grid."""
    return max((trigger / tick).quantize(Decimal(1), ROUND_HALF_UP), Decimal(1)) * tick


def lies_beyond(limit: Decimal, trigger: Decimal, side: Side) -> bool:
    """Whether a stop may have these two: a buy's limit lies above its trigger, a sell's below. On the grid that is at
    least one tick, which Dhan demands in production: "Trigger Price should be greater than Price".
    """
    return limit > trigger if side is Side.BUY else limit < trigger


def protected_limit(trigger: Decimal, tick: Decimal, side: Side, kind: InstrumentKind) -> Decimal:
    """How far beyond its trigger a stop may fill: half a per cent to five, as brokers protect market orders.

    Dhan's own ranges for API orders are unpublished; these are in production use against its API. At least one tick,
    but where a sell triggers at the lowest price of all, which has none below it.
    """
    slabs = _OPTIONS if kind is InstrumentKind.OPTION else _SHARES_AND_FUTURES
    share = next(Decimal(part) for below, part in slabs if below is None or trigger < below)
    if side is Side.BUY:
        steps = (trigger * (1 + share) / tick).quantize(Decimal(1), ROUND_CEILING)
        return max(steps * tick, trigger + tick)
    steps = (trigger * (1 - share) / tick).quantize(Decimal(1), ROUND_FLOOR)
    return max(min(steps * tick, trigger - tick), tick)

"""The broker's no, in a sentence that says what to do next. The broker's own words are kept beside it."""

from typing import assert_never

from core.broker.port import Refusal, Refused, Unknown


def explain(outcome: Refused | Unknown) -> str:
    if isinstance(outcome, Unknown):
        ours = "" if outcome.refusal is None else f"{_next_step(outcome.refusal)} "
        return f"{ours}{outcome.words.rstrip('.')}."
    said = f"Dhan said: {outcome.words.rstrip('.') or 'nothing more'} ({outcome.code or 'no code'})."
    ours = outcome.advice if outcome.refusal is Refusal.FINAL else ""
    return f"{ours or _next_step(outcome.refusal)} {said}"


def _next_step(refusal: Refusal) -> str:
    match refusal:
        case Refusal.FINAL:
            return "Dhan refused this order."
        case Refusal.RATE_LIMITED:
            return "Dhan asks for fewer orders at a time."
        case Refusal.SIGNED_OUT:
            return "Dhan no longer takes the sign-in; the order waits for a new one."
        case Refusal.INVALID_IP:
            return "Dhan takes orders from registered addresses only: /ip says what is wrong; then /resume."
        case Refusal.NO_ACCESS:
            return "This account may not trade here: look at your segments and API access at web.dhan.co, then /resume."
        case Refusal.KILL_SWITCH:
            return "Dhan's kill switch is on: nothing goes out until it is off (/killswitch)."
        case Refusal.MARKET_CLOSED:
            return "Dhan takes no regular order now."
        case Refusal.MARKET_OFFLINE:
            return "Dhan takes no orders for this market at the moment."
        case Refusal.IN_TRANSIT:
            return "The order is still on its way to the exchange."
        case _:
            assert_never(refusal)

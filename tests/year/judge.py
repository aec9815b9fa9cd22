"""What a simulated year must never show."""

from core.domain.order import OrderState
from tests.year.year import Year

ASKED = {OrderState.AWAITING_APPROVAL, OrderState.NEEDS_OPERATOR}


def faults(year: Year) -> list[str]:
    """Sentences; none when every alert is finished or asked, each sent at most once and inside a window."""
    states = year.counts()
    found = [f"sent outside every window: {each}" for each in year.exchange.outside]
    found += [f"sent {count} times: {name}" for name, count in year.exchange.posts.items() if count > 1]
    found += [f"{count} orders are {state} for ever" for state, count in states.items() if _hangs(state)]
    if year.undecided():
        found.append(f"{year.undecided()} alerts were not decided, or refused")
    if states.total() != len(year.alerts):
        found.append(f"{len(year.alerts)} alerts became {states.total()} orders")
    return found


def _hangs(state: OrderState) -> bool:
    return not state.is_final and state not in ASKED

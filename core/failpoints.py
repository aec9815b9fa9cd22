"""Named places where a crash would hurt most. Nothing happens at them unless a test installs a hook."""

from collections.abc import Callable
from enum import StrEnum


class Point(StrEnum):
    """Letters as in the fault list: I intake, S sending, C changes, R look-ups, O outbox."""

    BEFORE_ALERT_COMMIT = "I3"
    ALERT_COMMITTED = "I4"
    CLAIMING = "S1"
    CLAIMED = "S2"
    POSTED = "S7"
    OUTCOME_RECORDED = "S9"
    CHANGE_CLAIMED = "C1"
    CHANGE_POSTED = "C2"
    LOOKED_UP = "R1"
    BOOK_READ = "R2"
    PART_FOLLOWED = "R3"
    BEFORE_MESSAGE = "O1"
    MESSAGE_SENT = "O2"


def _nothing(_point: Point) -> None:
    return None


_hook: Callable[[Point], None] = _nothing


def install(hook: Callable[[Point], None]) -> None:
    """Call `hook` at every point from now on; for tests only."""
    global _hook  # noqa: PLW0603 - one hook per process is the point
    _hook = hook


def reach(point: Point) -> None:
    _hook(point)

"""An alert that carries no order and only says that its strategy is alive: `{"heartbeat": true}`."""

from collections.abc import Mapping
from typing import Any

from core.alerts import words


def is_heartbeat(fields: Mapping[str, Any]) -> bool:
    """A body that asks for an order as well is an alert, whatever else it says."""
    if "heartbeat" not in fields or fields["heartbeat"] in (None, False, "", "false", 0, "0"):
        return False
    return not any(words.field_named(key, words.ROOT_FIELDS) in _WISHES for key in fields)


_WISHES = frozenset({"order_legs", "transactionType", "quantity"})

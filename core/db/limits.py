"""Limits as they are stored, for the desk and for each source."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.domain.limits import Bound, Limit, Limits


def limits_of(stored: Mapping[str, Any]) -> Limits:
    return Limits(
        bounds={limit: _bound(stored[limit]) for limit in Limit if limit in stored},
        allowed=frozenset(stored.get("allowed", ())),
        denied=frozenset(stored.get("denied", ())),
    )


def limits_row(limits: Limits) -> dict[str, Any]:
    bounds = {limit.value: {"soft": bound.soft, "hard": bound.hard} for limit, bound in limits.bounds.items()}
    return {**bounds, "allowed": sorted(limits.allowed), "denied": sorted(limits.denied)}


def _bound(stored: Mapping[str, str | None]) -> Bound:
    soft, hard = stored["soft"], stored["hard"]
    return Bound(soft=None if soft is None else Decimal(soft), hard=None if hard is None else Decimal(hard))

"""`GET /metrics` for Prometheus: computed from the rows when it is asked for, off the event loop.

The client library is loaded at the first scrape, since most desks have no Prometheus.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from core.clock import Clock, SystemClock
from core.db.engine import Database
from core.measures import Measures, Stage, measures, quantile
from webhook.failures import Failures
from webhook.openapi import ADMIN
from webhook.routes.alerts import AlertDoor
from webhook.security import Administrators

if TYPE_CHECKING:
    from prometheus_client import Metric

QUANTILES = (0.5, 0.9, 0.99, 1.0)
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Scrape:
    """One scrape: what the client library asks for its figures."""

    def __init__(self, found: Measures, door: AlertDoor, failures: Failures, now: datetime) -> None:
        self._found = found
        self._now = now
        self._refused = {"answered": failures.refused, "limited": failures.limited}
        self._seconds: Mapping[Stage, Sequence[float]] = {
            Stage.COMMIT: sorted(door.seconds_to_commit),
            **found.seconds,
        }

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - see the module

        def gauge(name: str, words: str, value: float) -> "Metric":
            return GaugeMetricFamily(f"munshi_{name}", words, value=value)

        def by(family: Any, values: Mapping[Any, float]) -> "Metric":
            for label, value in values.items():
                family.add_metric([str(label)], value)
            return family

        desk = self._found.desk
        yield CounterMetricFamily("munshi_alerts", "Alerts stored", value=self._found.alerts)
        yield by(GaugeMetricFamily("munshi_orders", "Orders by state", labels=["state"]), self._found.orders)
        words = "Tries to place an order, by what became of them"
        yield by(GaugeMetricFamily("munshi_attempts", words, labels=["outcome"]), self._found.outcomes)
        words = "Calls with wrong credentials since this process began"
        yield by(CounterMetricFamily("munshi_refused_calls", words, labels=["answer"]), self._refused)
        words = "How long the latest ones took, by stage"
        stages = GaugeMetricFamily("munshi_stage_seconds", words, labels=["stage", "quantile"])
        for stage, seconds in self._seconds.items():
            for share in QUANTILES if seconds else ():
                stages.add_metric([stage, f"{share:g}"], quantile(seconds, share))
        yield stages
        yield gauge("undecided_alerts", "Alerts that wait for the desk", desk.undecided)
        yield gauge("undecided_seconds", "Age of the oldest of them", self._age(self._found.undecided_since))
        yield gauge(
            "unsent_message_seconds", "Age of the oldest message not yet in Telegram", self._age(desk.oldest_unsent)
        )
        left = desk.token.left(self._now).total_seconds() if desk.token else 0.0
        yield gauge("token_seconds_left", "How long the sign-in at Dhan lasts", left)
        yield gauge("desk_up", "1 when a desk is alive", desk.is_alive)
        if desk.heartbeat_age is not None:
            yield gauge("desk_heartbeat_seconds", "How long ago the desk was last heard of", desk.heartbeat_age)
        holds = GaugeMetricFamily("munshi_hold", "1 for each reason why nothing goes out", labels=["reason"])
        yield by(holds, dict.fromkeys(desk.holds, 1))

    def _age(self, moment: datetime | None) -> float:
        return (self._now - moment).total_seconds() if moment else 0.0


def metrics_routes(
    database: Database, clock: Clock, door: AlertDoor, failures: Failures, administrators: Administrators
) -> APIRouter:
    router = APIRouter(tags=["status"], dependencies=[Depends(administrators.check)])
    wall = SystemClock()
    one_at_a_time = asyncio.Lock()

    def look() -> Measures:
        with database.snapshot() as connection:
            return measures(connection, wall.now())

    @router.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"description": "Prometheus text", "content": {"text/plain": {"example": _EXAMPLE}}}, **ADMIN},
    )
    async def scrape() -> Response:
        """Alerts, orders and outcomes; how long the stages of an alert's way take; how the desk is."""
        async with one_at_a_time:
            found = await asyncio.to_thread(look)
            return Response(_text(Scrape(found, door, failures, clock.now())), media_type=_TYPE)

    return router


def _text(figures: Scrape) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - see the module

    registry = CollectorRegistry(auto_describe=False)
    registry.register(figures)
    return generate_latest(registry)


_EXAMPLE = 'munshi_orders{state="queued"} 2.0\nmunshi_stage_seconds{quantile="0.99",stage="decision"} 0.004\n'

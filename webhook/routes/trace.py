"""`/trace`: the story of every alert. Open on a paper desk of this machine only, else with the admin token."""

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from core import journal
from core.clock import Clock
from core.db import alerts, attempts
from core.db.engine import Database
from core.reports import AlertReport, alert_report, alert_reports
from webhook.openapi import ADMIN, BUSY
from webhook.pages.trace import list_page, not_found_page, trace_page
from webhook.security import Administrators

MOST_LISTED = 50
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}


def trace_routes(database: Database, clock: Clock, administrators: Administrators) -> APIRouter:
    router = APIRouter(
        tags=["trace"],
        default_response_class=HTMLResponse,
        dependencies=[Depends(administrators.check)],
        responses=ADMIN,
    )

    @router.get("/trace", summary="The latest alerts", responses={503: BUSY})
    async def latest() -> HTMLResponse:
        return HTMLResponse(list_page(await database.read(newest)), headers=_HEADERS)

    @router.get(
        "/trace/{alert_id}",
        summary="Everything that happened to one alert",
        responses={404: {"description": "No such alert"}, 503: BUSY},
    )
    async def one(alert_id: str) -> HTMLResponse:
        page = await database.read(lambda connection: story(connection, alert_id))
        if page is None:
            return HTMLResponse(not_found_page(alert_id), status_code=404, headers=_HEADERS)
        return HTMLResponse(page, headers=_HEADERS)

    def newest(connection: Connection) -> list[AlertReport]:
        ids = [alert.id for alert in alerts.recent(connection, MOST_LISTED)]
        found = alert_reports(connection, ids, clock.now())
        return [found[alert_id] for alert_id in ids]

    def story(connection: Connection, alert_id: str) -> str | None:
        report = alert_report(connection, int(alert_id), clock.now()) if _is_id(alert_id) else None
        if report is None:
            return None
        tries = attempts.of_orders(connection, [order.id for order in report.orders])
        return trace_page(report, journal.story(connection, report.alert.id), tries)

    return router


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 15

"""`/trace`: the story of every alert, for its operator. Open in paper mode, behind the admin token in live mode."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from core import journal
from core.clock import Clock
from core.db import alerts, attempts
from core.db.engine import Database
from core.reports import AlertReport, alert_report, alert_reports
from core.settings import Settings
from webhook.pages.trace import list_page, not_found_page, trace_page
from webhook.security import may_administer

MOST_LISTED = 50
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}


def trace_routes(settings: Settings, database: Database, clock: Clock) -> APIRouter:
    router = APIRouter(tags=["trace"], default_response_class=HTMLResponse)

    @router.get("/trace", summary="The latest alerts")
    async def latest(request: Request) -> HTMLResponse:
        _check(request, settings)
        return HTMLResponse(list_page(await database.read(newest)), headers=_HEADERS)

    @router.get("/trace/{alert_id}", summary="Everything that happened to one alert")
    async def one(request: Request, alert_id: str) -> HTMLResponse:
        _check(request, settings)
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


def _check(request: Request, settings: Settings) -> None:
    if not may_administer(request, settings):
        raise HTTPException(401, "This page needs the admin token.", {"WWW-Authenticate": "Bearer"})

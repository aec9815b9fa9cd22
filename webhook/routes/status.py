"""Health for monitors and people: `/health` says how the desk is, `/ready` whether alerts can be taken now."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response

from core import __version__
from core.clock import Clock, SystemClock
from core.controls import SAID_TO_ANYONE
from core.db.engine import Database
from core.domain.order import OrderState
from core.errors import Unavailable
from core.reports import DeskReport, desk_report
from core.settings import Settings
from core.wakeup import Nudger
from webhook.openapi import text


def status_routes(settings: Settings, database: Database, clock: Clock, nudger: Nudger) -> APIRouter:
    router = APIRouter(tags=["status"])
    wall = SystemClock()

    @router.get(
        "/health",
        summary="How the desk is; no secrets",
        responses={503: text("The database cannot be read", {"status": "unavailable", "reason": "…"})},
    )
    async def health(response: Response) -> dict[str, Any]:
        try:
            report = await database.read(lambda connection: desk_report(connection, wall.now()))
        except Unavailable as trouble:
            response.status_code = 503
            return {
                "status": "unavailable",
                "version": __version__,
                "mode": settings.munshi_mode,
                "reason": str(trouble),
            }
        return {
            "status": "ok" if report.is_alive and not report.holds else "degraded",
            "version": __version__,
            "mode": settings.munshi_mode,
            "dhan_client": _masked(settings.client_id),
            **_token(report, clock.now()),
            "clock": clock.now().isoformat(timespec="seconds"),
            "desk_heartbeat_age": report.heartbeat_age,
            "holds": {hold: SAID_TO_ANYONE[hold] for hold in report.holds},
            "alerts_undecided": report.undecided,
            "orders": {state: report.counts.get(state, 0) for state in OrderState if not state.is_final},
            "oldest_unsent_message": report.oldest_unsent,
        }

    @router.get(
        "/ready",
        summary="200 when alerts are taken and acted on, else 503 with the reasons",
        responses={503: text("Not ready, and why", {"ready": False, "reasons": ["no desk is running"]})},
    )
    async def ready(response: Response) -> dict[str, Any]:
        try:
            await nudger.look()
            report = await database.read(lambda connection: desk_report(connection, wall.now()))
        except Unavailable as trouble:
            response.status_code = 503
            return {"ready": False, "reasons": [str(trouble)]}
        is_there = nudger.desk_is_there
        reasons = [SAID_TO_ANYONE[hold] for hold in report.holds] if is_there else ["no desk is running"]
        response.status_code = 503 if reasons else 200
        return {
            "ready": not reasons,
            "dhan_client": _masked(settings.client_id),
            **_token(report, clock.now()),
            "secrets_loaded": bool(settings.webhook_secret.get_secret_value()),
            "reasons": reasons,
        }

    return router


def _token(report: DeskReport, now: datetime) -> dict[str, Any]:
    left = report.token.left(now).total_seconds() if report.token else 0
    return {"token_valid": left > 0, "token_expires_in": max(0, int(left))}


def _masked(client_id: str) -> str:
    return f"…{client_id[-4:]}" if client_id else ""

"""The web process: it authenticates, stores and answers. It holds no broker token and cannot trade."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from core import __version__
from core.bootstrap import build_clock, open_database
from core.db import alerts
from core.errors import Unavailable
from core.intake import Intake
from core.settings import Settings
from core.wakeup import Nudger
from webhook.callers import Callers
from webhook.errors import answer_errors
from webhook.failures import Failures
from webhook.keys import Keys
from webhook.openapi import describe
from webhook.outcomes import Outcomes
from webhook.routes.alerts import AlertDoor, is_webhook
from webhook.routes.docs import docs_routes
from webhook.routes.login import login_routes
from webhook.routes.metrics import metrics_routes
from webhook.routes.postback import postback_routes
from webhook.routes.sign_in import sign_in_routes
from webhook.routes.status import status_routes
from webhook.routes.trace import trace_routes
from webhook.security import Administrators
from webhook.wrong_secrets import WrongSecrets

log = structlog.get_logger()

BUSY_TIMEOUT = 1.0
QUICK = 0.001
"""Seconds: there is little here that could go on meanwhile, and a thread takes long to wake."""
FLUSH_EVERY = 0.05


class Web(FastAPI):
    """Alerts go in by a door of their own, before the framework's machinery, which costs more than the disk does."""

    def __init__(self, door: ASGIApp, **more: Any) -> None:
        super().__init__(**more)
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_webhook(scope["path"]):
            await self._door(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def build_app(settings: Settings, failures: Failures | None = None) -> FastAPI:
    """The application, with its database open. Raises WrongSchema."""
    database = open_database(settings, busy_timeout=BUSY_TIMEOUT, quick=QUICK)
    clock = build_clock(settings)
    outcomes = Outcomes(database, clock)
    nudger = Nudger(database)
    intake = Intake(database)
    keys = Keys(database)
    wrong_secrets = WrongSecrets(database, clock)
    with database.snapshot() as connection:
        source_id = alerts.source_id(connection)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        watchers = [
            asyncio.create_task(watch)
            for watch in (nudger.watch_lease(), outcomes.look(), keys.watch(), wrong_secrets.watch(), flushing(intake))
        ]
        gc.freeze()  # what is here now stays; the collector need not look at it again under load
        gc.set_threshold(700, 10, 100)
        yield
        for watcher in watchers:
            watcher.cancel()
        await intake.flush()
        nudger.close()
        database.close()

    callers, failures = Callers(settings), failures or Failures()
    administrators = Administrators(settings, callers, failures)
    door = AlertDoor(
        settings=settings,
        database=database,
        intake=intake,
        outcomes=outcomes,
        nudger=nudger,
        clock=clock,
        source_id=source_id,
        keys=keys,
        callers=callers,
        failures=failures,
        wrong_secrets=wrong_secrets,
    )
    app = Web(
        door,
        title="Munshi",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.http_docs else None,
    )
    answer_errors(app)
    app.include_router(status_routes(settings, database, clock, nudger))
    app.include_router(trace_routes(database, clock, administrators))
    app.include_router(postback_routes(settings, database, clock, nudger, callers=callers, failures=failures))
    app.include_router(login_routes(settings, database, clock, nudger))
    app.include_router(sign_in_routes(settings, database, clock, nudger, administrators))
    app.include_router(metrics_routes(database, clock, door, failures, administrators))
    describe(app)
    if settings.http_docs:
        app.include_router(docs_routes(app))
    return app


async def flushing(intake: Intake) -> None:
    """Note soon which alerts were answered: until then another process takes the next copy for a resend."""
    while True:
        await asyncio.sleep(FLUSH_EVERY)
        try:
            await intake.flush()
        except Unavailable as trouble:
            log.warning("answers_not_noted", why=str(trouble))

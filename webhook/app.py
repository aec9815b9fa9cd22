"""The web process: it authenticates, stores and answers. It holds no broker token and cannot trade."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.routing import Route

from core import __version__
from core.bootstrap import build_clock, open_database
from core.db import alerts
from core.errors import Unavailable
from core.intake import Intake
from core.settings import Settings
from core.wakeup import Nudger
from webhook.openapi import describe
from webhook.outcomes import Outcomes
from webhook.routes.alerts import AlertDoor
from webhook.routes.status import status_routes
from webhook.routes.trace import trace_routes

log = structlog.get_logger()

BUSY_TIMEOUT = 1.0
FLUSH_EVERY = 0.2


def build_app(settings: Settings) -> FastAPI:
    """The application, with its database open. Raises WrongSchema."""
    database = open_database(settings, busy_timeout=BUSY_TIMEOUT)
    clock = build_clock(settings)
    outcomes = Outcomes(database, clock)
    nudger = Nudger(database)
    intake = Intake(database)
    with database.snapshot() as connection:
        source_id = alerts.source_id(connection)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        watchers = [asyncio.create_task(watch) for watch in (nudger.watch_lease(), outcomes.look(), flushing(intake))]
        gc.freeze()  # what is here now stays; the collector need not look at it again under load
        gc.set_threshold(700, 10, 100)
        yield
        for watcher in watchers:
            watcher.cancel()
        await intake.flush()
        nudger.close()
        database.close()

    app = FastAPI(title="Munshi", version=__version__, lifespan=lifespan)
    door = AlertDoor(
        settings=settings,
        database=database,
        intake=intake,
        outcomes=outcomes,
        nudger=nudger,
        clock=clock,
        source_id=source_id,
    )
    app.router.routes.insert(0, Route("/webhook", door, methods=["POST"]))
    app.include_router(status_routes(settings, database, clock))
    app.include_router(trace_routes(settings, database, clock))
    describe(app)
    return app


async def flushing(intake: Intake) -> None:
    """Note now and then which alerts were answered, when no new alert does it on its way."""
    while True:
        await asyncio.sleep(FLUSH_EVERY)
        try:
            await intake.flush()
        except Unavailable as trouble:
            log.warning("answers_not_noted", why=str(trouble))

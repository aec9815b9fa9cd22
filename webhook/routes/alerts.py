"""`POST /webhook`: authenticate, read, store, answer. Neither Dhan nor Telegram is on this path.

A plain route, since the framework's machinery costs more than the disk does.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from core.alerts.parse import parse_alert, read_alert_text, secret_in, secret_in_broken_text, without_secret
from core.clock import Clock
from core.db.engine import Database
from core.errors import AlertRefused, Unavailable
from core.failpoints import Point, reach
from core.intake import Answer, Arrival, Intake, Receipt, digest
from core.settings import Settings
from core.wakeup import Nudger
from webhook import answers
from webhook.outcomes import Outcomes
from webhook.security import same_secret

log = structlog.get_logger()

MOST_BYTES = 16 * 1024
MOST_IN_LINE = 4_000
READ_WITHIN = 2.0


class TooLarge(Exception):
    """The body is larger than any alert."""


class AlertDoor:
    """The endpoint with what it needs. One per process."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        intake: Intake,
        outcomes: Outcomes,
        nudger: Nudger,
        clock: Clock,
        source_id: int,
    ) -> None:
        self._secret = settings.webhook_secret.get_secret_value()
        self._patience = settings.webhook_wait_ms / 1000
        self._database = database
        self._intake = intake
        self._outcomes = outcomes
        self._nudger = nudger
        self._clock = clock
        self._source_id = source_id

    async def take_alert(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(READ_WITHIN):
                body = await _read(request)
        except TooLarge:
            return answers.error(413, f"The alert is larger than {MOST_BYTES} bytes.", headers={"Connection": "close"})
        except TimeoutError:
            return answers.error(408, "The alert did not arrive in time.", headers={"Connection": "close"})
        if self._database.backlog > MOST_IN_LINE:
            return answers.not_stored("too many alerts wait to be stored.")
        try:
            fields = read_alert_text(body)
        except AlertRefused as refused:
            return await self._refuse_unreadable(body, refused)
        if not same_secret(secret_in(fields), self._secret):
            return answers.error(401, "Invalid webhook secret")
        return await self._take(request, body, fields)

    async def _refuse_unreadable(self, body: bytes, refused: AlertRefused) -> Response:
        """Text that is no JSON cannot prove whose it is, but where our secret stands in it the operator hears of it."""
        secret = secret_in_broken_text(body)
        if not secret:
            return _refusal(refused)
        if not same_secret(secret, self._secret):
            return answers.error(401, "Invalid webhook secret")
        return await self._refuse(body, refused)

    async def _refuse(self, body: bytes, refused: AlertRefused) -> Response:
        try:
            receipt = await self._intake.store(self._arrival(body, refusal=str(refused)))
        except Unavailable as trouble:
            return answers.not_stored(str(trouble))
        self._nudger.nudge()
        return self._closing(receipt, _refusal(refused, alert_id=str(receipt.alert_id)))

    async def _take(self, request: Request, body: bytes, fields: Mapping[str, Any]) -> Response:
        try:
            alert = parse_alert(fields)
        except AlertRefused as refused:
            return await self._refuse(body, refused)
        reach(Point.BEFORE_ALERT_COMMIT)
        try:
            receipt = await self._intake.store(self._arrival(body, fired_at=alert.fired_at))
        except Unavailable as trouble:
            return answers.not_stored(str(trouble))
        reach(Point.ALERT_COMMITTED)
        self._nudger.nudge()
        patience = self._patience_for(request)
        report = await self._outcomes.wait_for(receipt.alert_id, patience)
        if patience and await request.is_disconnected():
            await self._intake.close(Answer(receipt=receipt, at=None))
            return Response(status_code=499)
        return self._closing(receipt, answers.stored(receipt, report))

    def _closing(self, receipt: Receipt, response: Response) -> Response:
        """The alert counts as answered once its answer has left."""
        response.background = BackgroundTask(self._close, receipt)
        return response

    async def _close(self, receipt: Receipt) -> None:
        try:
            await self._intake.close(Answer(receipt=receipt, at=self._clock.now()))
        except Unavailable as trouble:  # then a copy of it counts as a resend and is folded
            log.warning("answer_not_noted", alert=receipt.alert_id, why=str(trouble))

    def _arrival(self, body: bytes, **more: Any) -> Arrival:
        return Arrival(
            digest=digest(body),
            text=without_secret(body),
            source_id=self._source_id,
            received_at=self._clock.now(),
            **more,
        )

    def _patience_for(self, request: Request) -> float:
        if not self._nudger.desk_is_there or request.headers.get("prefer") == "wait=0":
            return 0
        return self._patience


def _refusal(refused: AlertRefused, **more: Any) -> Response:
    return answers.error(422, str(refused), mistakes=refused.mistakes, **more)


async def _read(request: Request) -> bytes:
    """The body, as long as it is not larger than an alert can be. Raises TooLarge before reading more."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > MOST_BYTES:
        raise TooLarge
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_BYTES:
            raise TooLarge
        pieces.append(piece)
    return b"".join(pieces)

"""`POST /webhook[/{key}]`: authenticate, read, store, answer. Neither Dhan nor Telegram is on this path.

A plain ASGI route, since the framework's machinery costs more than the disk does.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.alerts.heartbeat import is_heartbeat
from core.alerts.parse import (
    hide,
    parse_alert,
    read_alert_text,
    secret_in,
    secret_in_broken_text,
    without_secret,
)
from core.clock import Clock, monotonic
from core.db import sources
from core.db.engine import Database
from core.db.sources import Key
from core.errors import AlertRefused, Unavailable
from core.failpoints import Point, reach
from core.intake import Arrival, Intake, Receipt, digest
from core.settings import Settings
from core.wakeup import Nudger
from webhook import answers
from webhook.callers import Callers
from webhook.failures import TOO_MANY, Failures
from webhook.keys import Keys
from webhook.outcomes import Outcomes
from webhook.security import same_secret
from webhook.seldom import Seldom
from webhook.wrong_secrets import WrongSecrets

log = structlog.get_logger()

MOST_BYTES = 16 * 1024
MOST_IN_LINE = 2_000
READ_WITHIN = 2.0


PATH = "/webhook"


class TooLarge(Exception):
    """The body is larger than any alert."""


@dataclass(frozen=True)
class Sender:
    """Whose alert it is: the source, and the key in the path that says so; None: the secret in the body does."""

    source_id: int
    key: Key | None = None
    given: str = ""


def is_webhook(path: str) -> bool:
    base, _, key = path.rpartition("/")
    return path == PATH or (base == PATH and bool(key))


class AlertDoor:
    """The endpoint, one per process: an ASGI application of its own, so that nothing stands around it."""

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
        keys: Keys,
        callers: Callers,
        failures: Failures,
        wrong_secrets: WrongSecrets,
    ) -> None:
        self._secret = settings.webhook_secret.get_secret_value()
        self._patience = settings.webhook_wait_ms / 1000
        self._database = database
        self._intake = intake
        self._outcomes = outcomes
        self._nudger = nudger
        self._clock = clock
        self._default = Sender(source_id)
        self._keys = keys
        self._callers = callers
        self._failures = failures
        self._wrong_secrets = wrong_secrets
        self._turned_away = Seldom("alert_turned_away")
        self.seconds_to_commit: deque[float] = deque(maxlen=1_000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one alert; its answer counts as given once it has left."""
        if scope["method"] != "POST":
            await _ONLY_POST(scope, receive, send)
            return
        if self._callers.are_limited and (why := self._callers.why_not(scope)):
            self._turned_away.warn(why=why)
            await answers.error(403, why, headers={"Connection": "close"})(scope, receive, send)
            return
        patience = self._patience_for(scope)
        receipt, answer = await self._answer(scope, receive, patience)
        if receipt is None:
            await answer(scope, receive, send)
        elif patience and await _has_left(receive):
            self._intake.close(receipt, None)
        else:
            left_at, now = None, self._clock.now()
            try:
                await answer(scope, receive, send)
                left_at = now
            finally:
                self._intake.close(receipt, left_at)

    async def _answer(self, scope: Scope, receive: Receive, patience: float) -> tuple[Receipt | None, Response]:
        try:
            body = await _read(scope, receive)
        except TooLarge:
            close = {"Connection": "close"}
            return None, answers.error(413, f"The alert is larger than {MOST_BYTES} bytes.", headers=close)
        except TimeoutError:
            return None, answers.error(408, "The alert did not arrive in time.", headers={"Connection": "close"})
        except ClientDisconnect:
            return None, Response(status_code=499)
        if self._database.backlog > MOST_IN_LINE:
            return None, answers.not_stored("too many alerts wait to be stored.")
        try:
            sender = await self._sender(scope["path"])
            receipt, answer = (None, _INVALID_SECRET) if sender is None else await self._take(body, sender, patience)
            return receipt, self._turn_away(scope) if answer is _INVALID_SECRET else answer
        except Unavailable as trouble:
            return None, answers.not_stored(str(trouble))
        except Exception:  # a fault of ours: the sender is to try again, and the operator to find it in the log
            log.exception("alert_failed")
            return None, answers.not_stored("something went wrong here, and stands in the log.")

    async def _sender(self, path: str) -> Sender | None:
        """None: the key in the path opens nothing. A sender without one still has to show the secret."""
        if path == PATH:
            return self._default
        given = path.removeprefix(f"{PATH}/")
        key = await self._keys.find(given)
        return Sender(key.source_id, key, given) if key else None

    async def _take(self, body: bytes, sender: Sender, patience: float) -> tuple[Receipt | None, Response]:
        try:
            fields = read_alert_text(body)
        except AlertRefused as refused:
            return await self._refuse_unreadable(body, sender, refused)
        if sender.key is None and not same_secret(secret_in(fields), self._secret):
            return None, _INVALID_SECRET
        if is_heartbeat(fields):
            return None, await self._hear(sender)
        try:
            alert = parse_alert(fields)
        except AlertRefused as refused:
            return await self._refuse(body, sender, refused)
        reach(Point.BEFORE_ALERT_COMMIT)
        began = monotonic()
        receipt = await self._intake.store(self._arrival(body, sender, fired_at=alert.fired_at))
        self.seconds_to_commit.append(monotonic() - began)
        reach(Point.ALERT_COMMITTED)
        self._nudger.nudge()
        report = await self._outcomes.wait_for(receipt.alert_id, patience) if patience else None
        return receipt, answers.stored(receipt, report)

    def _turn_away(self, scope: Scope) -> Response:
        """For a wrong secret. The right one is always taken, however many wrong ones came from the same address."""
        self._wrong_secrets.note()
        return _TOO_MANY if self._failures.are_too_many(self._callers.address(scope)) else _INVALID_SECRET

    async def _hear(self, sender: Sender) -> Response:
        """It carries no order, so there is nothing to decide and no card."""
        at, key = self._clock.now(), sender.key

        def note(connection: Connection) -> None:
            sources.hear(connection, sender.source_id, at)
            sources.count_uses(connection, {key.id: 1} if key else {}, at)

        await self._database.write(note)
        return answers.heard()

    async def _refuse_unreadable(
        self, body: bytes, sender: Sender, refused: AlertRefused
    ) -> tuple[Receipt | None, Response]:
        """Text that is no JSON cannot prove whose it is: where our secret stands in it, it gets a card of its own."""
        if sender.key is None:
            secret = secret_in_broken_text(body)
            if not secret:
                self._wrong_secrets.note()
                return None, _refusal(refused)
            if not same_secret(secret, self._secret):
                return None, _INVALID_SECRET
        return await self._refuse(body, sender, refused)

    async def _refuse(self, body: bytes, sender: Sender, refused: AlertRefused) -> tuple[Receipt, Response]:
        receipt = await self._intake.store(self._arrival(body, sender, refusal=str(refused)))
        self._nudger.nudge()
        return receipt, _refusal(refused, alert_id=str(receipt.alert_id))

    def _arrival(self, body: bytes, sender: Sender, *, fired_at: datetime | None = None, refusal: str = "") -> Arrival:
        whose = None if sender.source_id == self._default.source_id else sender.source_id
        return Arrival(
            digest=digest(body, whose),
            text=self._hide(sender, without_secret(body)),
            source_id=sender.source_id,
            received_at=self._clock.now(),
            fired_at=fired_at,
            refusal=self._hide(sender, refusal),
            key_id=sender.key.id if sender.key else None,
        )

    def _hide(self, sender: Sender, text: str) -> str:
        """Neither the secret nor the key is kept, wherever it was pasted."""
        text = hide(self._secret, text)
        return hide(sender.given, text) if sender.given else text

    def _patience_for(self, scope: Scope) -> float:
        if not self._nudger.desk_is_there or _header(scope, b"prefer") == b"wait=0":
            return 0
        return self._patience


_ONLY_POST = answers.error(405, "Alerts are posted.", headers={"Allow": "POST"})
_INVALID_SECRET = answers.error(401, "Invalid webhook secret")
_TOO_MANY = answers.error(429, TOO_MANY, headers={"Retry-After": "60", "Connection": "close"})


def _refusal(refused: AlertRefused, **more: Any) -> Response:
    return answers.error(422, str(refused), mistakes=refused.mistakes, **more)


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for known, value in scope["headers"] if known == name), b"")


async def _read(scope: Scope, receive: Receive) -> bytes:
    """The body, as long as it is not larger than an alert can be. Raises TooLarge before reading more, TimeoutError.

    Mostly it is all there, and no timer is set; who sends not even its beginning is the crowd's to let go.
    """
    announced = _header(scope, b"content-length")
    if announced.isdigit() and int(announced) > MOST_BYTES:
        raise TooLarge
    body, is_whole = await _read_on(b"", receive)
    if not is_whole:
        async with asyncio.timeout(READ_WITHIN):
            while not is_whole:
                body, is_whole = await _read_on(body, receive)
    return body


async def _read_on(body: bytes, receive: Receive) -> tuple[bytes, bool]:
    """What came so far, and whether that is all."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    body += message.get("body", b"")
    if len(body) > MOST_BYTES:
        raise TooLarge
    return body, not message.get("more_body", False)


async def _has_left(receive: Receive) -> bool:
    """Whether the sender has gone. The server then says so at once, and otherwise not before the answer left."""
    next_message = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    if not next_message.done():
        next_message.cancel()
        return False
    return next_message.result()["type"] == "http.disconnect"

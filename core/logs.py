"""Logs: an event name and ids, one line each; the client libraries that would log whole URLs are silenced.

What is a secret all the same is masked where lines leave the process: a library's message or a traceback may hold one.
"""

import logging
import sys
from collections import deque
from collections.abc import Callable
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from core.redaction import Redacted
from core.settings import Settings

_KEPT = 200
_NOT_KEPT = ("timestamp", "event", "level", "process", "exc_info")
_recent: deque[str] = deque(maxlen=_KEPT)
_TALKATIVE = ("httpx", "httpcore", "telegram", "apscheduler", "uvicorn.access", "alembic", "websockets")


def recent() -> list[str]:
    """The latest warnings and errors of this process, oldest first."""
    return list(_recent)


def _keep_warnings(mask: Callable[[str], str]) -> Processor:
    """They are shown in the chat: another way out of the process."""

    def keep(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if method in ("warning", "error", "exception", "critical"):
            told = " ".join(f"{name}={value}" for name, value in event.items() if name not in _NOT_KEPT)
            _recent.append(mask(f"{event.get('timestamp', '')} {event.get('event', '')} {told}".strip()))
        return event

    return keep


def set_up_logging(settings: Settings, process: str) -> None:
    """Log to standard error, as text for people or as JSON for machines."""
    sink = Redacted(sys.stderr, settings)
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    logging.basicConfig(level=level, stream=sink, format="%(levelname)s %(name)s %(message)s", force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    renderer = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _keep_warnings(sink.mask),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", sink)),
        cache_logger_on_first_use=True,
    )
    sys.excepthook = sink.excepthook
    structlog.contextvars.bind_contextvars(process=process)

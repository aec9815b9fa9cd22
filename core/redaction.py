"""Masking secrets in text that leaves the process: the values that this process loaded, and what tokens look like."""

import io
import re
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import TextIO

from pydantic import SecretStr
from sqlalchemy.engine import make_url

from core.settings import Settings

MASK = "***"
_SHORT = 8
"""A value below this length, such as a PIN, is masked only where it stands alone."""
_SHAPES = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token: Dhan's access token, Google's
    r"|\b\d{6,12}:[\w-]{30,}"  # a bot token of Telegram's
    r"|(?<=gAAAAA)[\w=-]{40,}"  # something sealed
    r"|(?<=[?&]tokenId=)[^\s&\"']+|(?<=[?&]token=)[^\s&\"']+"
    r"|(?<=Bearer )[^\s\"',]+"
    r"|(?<=\"secret\":\")[^\"]+|(?<=\"secret\": \")[^\"]+"
)


class Redacted(io.TextIOBase):
    """A stream that passes on what is written to it, masked."""

    def __init__(self, stream: TextIO, settings: Settings) -> None:
        super().__init__()
        self._stream = stream
        self._values = _pattern(_secrets(settings))

    def write(self, text: str, /) -> int:
        self._stream.write(self.mask(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def mask(self, text: str) -> str:
        return _SHAPES.sub(MASK, self._values.sub(MASK, text))

    def excepthook(self, kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        """For `sys.excepthook`: what ends a process is printed here as well."""
        self.write("".join(traceback.format_exception(kind, fault, trace)))
        self.flush()


def _secrets(settings: Settings) -> Iterable[str]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield from value.get_secret_value().split(",") if name == "token_keys" else [value.get_secret_value()]
    for pair in (settings.pin_and_totp, settings.api_key_and_secret):
        yield from (secret.get_secret_value() for secret in pair or ())
    if settings.bot_token:
        yield settings.bot_token.get_secret_value()
    yield make_url(settings.database).password or ""


def _pattern(values: Iterable[str]) -> re.Pattern[str]:
    """The longest first, so that no part of one is left; matches nothing where there are none."""
    known = sorted({value for value in values if value}, key=len, reverse=True)
    return re.compile("|".join(map(_whole, known)) or r"(?!)")


def _whole(value: str) -> str:
    return re.escape(value) if len(value) >= _SHORT else rf"(?<!\w){re.escape(value)}(?!\w)"

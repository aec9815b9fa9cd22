"""Sealing what must not be readable in the database, with keys that are not in it."""

import base64
import binascii
import secrets
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def make_key() -> str:
    """A new key: 32 random bytes in url-safe base64, which is what Fernet takes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def is_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text.encode())) == 32
    except (binascii.Error, ValueError):
        return False


class Seal:
    """Several keys may be given, comma-separated: the first one seals, all of them open."""

    def __init__(self, keys: SecretStr) -> None:
        self._keys = keys

    def close(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """None when none of our keys opens it."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - see below

        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None

    @cached_property
    def _fernet(self) -> "MultiFernet":
        """Loaded when it is first needed: the library is large, and the web process mostly never needs it."""
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - see above

        return MultiFernet([Fernet(key) for key in self._keys.get_secret_value().split(",")])

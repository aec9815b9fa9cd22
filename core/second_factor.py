"""The second factor: one-time codes (RFC 6238) for what a lost, unlocked phone must not be able to do.

One secret for the desk, enrolled at the command line, sealed in the settings. Each code counts once; five wrong ones
lock it for a quarter of an hour. Codes go by the machine's clock, wherever the paper clock stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pyotp import random_base32
from pyotp.totp import TOTP
from sqlalchemy import Connection

from core import controls, journal
from core.seal import Seal

MOST_WRONG = 5
LOCKED_FOR = timedelta(minutes=15)
_KEY = "second_factor"
_STEP = 30


@dataclass(frozen=True)
class SecondFactor:
    """`seal` closes the secret."""

    seal: Seal

    def is_enrolled(self, connection: Connection) -> bool:
        return controls.fetch(connection, _KEY) is not None

    def enrol(self, connection: Connection, secret: str, *, at: datetime, actor: str) -> None:
        """Take this secret from now on, in place of any before it."""
        controls.put(connection, _KEY, {"sealed": self.seal.close(secret), "step": 0, "wrong": 0}, at=at, actor=actor)
        journal.append(connection, journal.Event(at=at, actor=actor, kind="second factor enrolled"))

    def take(self, connection: Connection, code: str, *, at: datetime, actor: str) -> str:
        """Use the code up; empty when it is good, else why it is not. Commit in either case: wrong ones are counted."""
        kept = controls.fetch(connection, _KEY)
        if kept is None:
            return "No authenticator is enrolled: run `munshi totp` on the desk's machine."
        until = datetime.fromisoformat(kept["locked_until"]) if "locked_until" in kept else at
        if at < until:
            return "Too many wrong codes: wait a quarter of an hour."
        secret = self.seal.open(kept["sealed"])
        if secret is None:
            return "The authenticator's secret cannot be read with these TOKEN_KEYS: run `munshi totp` again."
        step = _step_of(secret, code, at)
        if step is not None and step > kept["step"]:
            controls.put(connection, _KEY, {"sealed": kept["sealed"], "step": step, "wrong": 0}, at=at, actor=actor)
            return ""
        controls.put(connection, _KEY, _one_more_wrong(kept, at), at=at, actor=actor)
        journal.append(connection, journal.Event(at=at, actor=actor, kind="second factor refused"))
        used = step is not None
        return "This code was used already: wait for the next one." if used else "That is not the code of now."


def make_secret() -> str:
    return random_base32()


def address(secret: str, name: str) -> str:
    """What an authenticator reads, often from a picture."""
    return TOTP(secret).provisioning_uri(name=name, issuer_name="Munshi")


def fits(secret: str, code: str, at: datetime) -> bool:
    return _step_of(secret, code, at) is not None


def _step_of(secret: str, code: str, at: datetime) -> int | None:
    """The half minute that the code belongs to; clocks may differ by one."""
    now = int(at.timestamp()) // _STEP
    totp = TOTP(secret)
    code = code.strip().replace(" ", "")
    fitting = (step for step in (now, now - 1, now + 1) if totp.verify(code, for_time=step * _STEP))
    return next(fitting, None) if code.isascii() and code.isdecimal() else None


def _one_more_wrong(kept: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    wrong = kept["wrong"] + 1
    counted = {"sealed": kept["sealed"], "step": kept["step"], "wrong": wrong}
    if wrong < MOST_WRONG:
        return counted
    return counted | {"wrong": 0, "locked_until": (at + LOCKED_FOR).isoformat()}

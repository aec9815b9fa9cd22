"""One-time codes: each counts once, in its half minute, and wrong ones lock."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from pyotp.totp import TOTP
from sqlalchemy import Connection

from core import controls
from core.seal import Seal, make_key
from core.second_factor import LOCKED_FOR, MOST_WRONG, SecondFactor, make_secret
from tests.builders import NOON

SECRET = make_secret()


@pytest.fixture
def factor(connection: Connection) -> SecondFactor:
    factor = SecondFactor(Seal(SecretStr(make_key())))
    factor.enrol(connection, SECRET, at=NOON, actor="test")
    return factor


def code(seconds: float = 0) -> str:
    return TOTP(SECRET).at(NOON + timedelta(seconds=seconds))


def take(factor: SecondFactor, connection: Connection, given: str, seconds: float = 0) -> str:
    return factor.take(connection, given, at=NOON + timedelta(seconds=seconds), actor="operator 42")


def test_a_code_of_now_counts_once(factor: SecondFactor, connection: Connection) -> None:
    assert take(factor, connection, code()) == ""
    assert "used already" in take(factor, connection, code(), 5)
    assert take(factor, connection, code(30), 31) == ""


@pytest.mark.parametrize("seconds", [-30, 30])
def test_a_clock_may_be_half_a_minute_off(factor: SecondFactor, connection: Connection, seconds: float) -> None:
    assert take(factor, connection, code(seconds)) == ""


@pytest.mark.parametrize("given", ["", "12345", "abcdef", "１２３４５６", "1" * 400])
def test_what_is_no_code_is_refused(factor: SecondFactor, connection: Connection, given: str) -> None:
    assert take(factor, connection, given) == "That is not the code of now."


def test_a_code_older_than_the_last_one_is_not_taken(factor: SecondFactor, connection: Connection) -> None:
    assert take(factor, connection, code()) == ""
    assert "used already" in take(factor, connection, code(-30))


def test_wrong_codes_lock_it_for_a_while_even_for_the_right_one(factor: SecondFactor, connection: Connection) -> None:
    for _ in range(MOST_WRONG):
        assert take(factor, connection, code(900)) == "That is not the code of now."
    assert "Too many wrong codes" in take(factor, connection, code())
    later = LOCKED_FOR.total_seconds()
    assert take(factor, connection, code(later), later) == ""


@pytest.mark.usefixtures("factor")
def test_the_secret_lies_sealed_and_other_keys_open_nothing(connection: Connection) -> None:
    assert SECRET not in str(controls.fetch(connection, "second_factor"))
    other = SecondFactor(Seal(SecretStr(make_key())))
    assert "cannot be read" in take(other, connection, code())


def test_without_an_enrolment_no_code_is_good(connection: Connection) -> None:
    factor = SecondFactor(Seal(SecretStr(make_key())))
    assert not factor.is_enrolled(connection)
    assert "munshi totp" in take(factor, connection, code())

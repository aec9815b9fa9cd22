"""What a start says, and the alert it offers to paste."""

import json
import shlex
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from core.alerts.parse import parse_alert, read_alert_text
from core.cli.banner import FIRST_ALERT, banner
from core.settings import Mode, Settings


def text(
    *,
    secret: str = "a-secret-of-the-desk",
    reasons: tuple[str, ...] = (),
    moved_to: datetime | None = None,
    to_terminal: bool = True,
    **changes: Any,
) -> str:
    settings = Settings(webhook_secret=SecretStr(secret), **changes)
    return banner(settings, seconds=1.44, reasons=list(reasons), moved_to=moved_to, to_terminal=to_terminal)


def test_it_says_how_long_it_took_and_where_things_are() -> None:
    lines = text().splitlines()
    assert lines[0] == "Munshi is up after 1.4 s, in paper mode: no real money."
    assert "  Chat      http://127.0.0.1:8081/" in lines
    assert "  Webhook   http://127.0.0.1:8080/webhook" in lines
    assert "  Health    http://127.0.0.1:8080/health" in lines


def test_the_curl_is_one_line_that_a_shell_reads_as_the_first_alert_with_the_secret() -> None:
    [curl] = [line for line in text().splitlines() if line.startswith("curl")]
    *command, body = shlex.split(curl)
    assert command == ["curl", "-s", "http://127.0.0.1:8080/webhook", "-H", "Content-Type: application/json", "-d"]
    assert json.loads(body) == {"secret": "a-secret-of-the-desk", **FIRST_ALERT}
    assert curl.index('"secret"') < curl.index('"alertType"')


def test_the_first_alert_leaves_nothing_to_remark_on() -> None:
    assert parse_alert(read_alert_text(json.dumps(FIRST_ALERT).encode())).remarks == ()


def test_a_secret_with_quotes_survives_the_shell() -> None:
    [curl] = [line for line in text(secret='it\'s "mine" $HOME').splitlines() if "curl" in line]
    assert json.loads(shlex.split(curl)[-1])["secret"] == 'it\'s "mine" $HOME'


def test_the_log_of_a_desk_that_others_reach_is_told_where_the_secret_is_and_not_the_secret() -> None:
    assert "curl" in text(to_terminal=False)
    logged = text(to_terminal=False, public_url="https://desk.example.com")
    assert "a-secret-of-the-desk" not in logged
    assert "curl" not in logged
    assert "`./munshi secret` prints it" in logged


def test_live_mode_shows_no_secret_and_says_that_the_money_is_real() -> None:
    live = text(munshi_mode=Mode.LIVE, telegram_bot_token=SecretStr("1:a"), public_url="https://desk.example.com")
    assert "a-secret-of-the-desk" not in live
    assert "curl" not in live
    assert "munshi secret" not in live
    assert "LIVE: real orders, real money" in live
    assert "Webhook   https://desk.example.com/webhook" in live
    assert "Health    http://127.0.0.1:8080/health" in live


def test_what_still_stands_in_the_way_of_orders_is_said() -> None:
    told = text(reasons=("sign in to Dhan: send /login", "the instrument list is loading"))
    assert "  Not yet   sign in to Dhan: send /login\n            the instrument list is loading\n" in told


def test_a_desk_that_listens_everywhere_is_reached_on_this_machine() -> None:
    assert "curl -s http://127.0.0.1:9000/webhook" in text(host="0.0.0.0", port=9000)


def test_a_clock_that_was_moved_is_said_to_be() -> None:
    told = text(moved_to=datetime(2026, 11, 28, 8, 30, tzinfo=UTC))
    assert "  Clock     moved to Sat 28 Nov 14:00, India time; the chat page sets it back\n" in told
    assert "Clock" not in text()

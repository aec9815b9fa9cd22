"""The fence around the tests themselves."""

import os
import socket

import pytest


def test_another_machine_is_out_of_reach() -> None:
    with socket.socket() as outside, pytest.raises(AssertionError, match=r"tried 192\.0\.2\.1"):
        outside.connect(("192.0.2.1", 443))


def test_the_names_of_other_machines_are_not_even_looked_up() -> None:
    with pytest.raises(AssertionError, match=r"tried api\.dhan\.co"):
        socket.create_connection(("api.dhan.co", 443), timeout=1)


def test_this_machine_is_within_reach(free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)), socket.create_connection(("localhost", free_port), timeout=1):
        pass


def test_no_token_of_the_developer_reaches_a_test() -> None:
    assert not {"DHAN_ACCESS_TOKEN", "TELEGRAM_BOT_TOKEN", "WEBHOOK_SECRET", "MUNSHI_MODE"} & set(os.environ)

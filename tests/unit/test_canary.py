"""The search for secrets in what the suite wrote: it finds them, or its silence would mean nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from core.clock import SystemClock
from core.sandbox.dhan.app import LEDGER_FILE
from core.sandbox.dhan.errors import Refused
from core.sandbox.dhan.login import Login
from core.sandbox.dhan.store import Store
from core.sandbox.telegram.chat import CHAT_FILE, Chat
from core.sandbox.telegram.people import BOT
from core.sandbox.telegram.wire import Upload
from core.settings import PaperAccount, load
from tests import overheard
from tests.canary import FUZZED, GENERATED, Answers, Canaries, CanaryWatch, leaks


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """The folder of a whole run, in which one test of one worker had a desk; the suite's own search must not see it."""
    (tmp_path / "popen-gw0" / "test_one0" / "data").mkdir(parents=True)
    (tmp_path / "popen-gw0" / "test_one0" / "data").chmod(0o700)
    yield tmp_path
    rmtree(tmp_path)


@pytest.fixture
def desk(base: Path) -> Path:
    return base / "popen-gw0" / "test_one0" / "data"


@pytest.mark.parametrize(
    ("what", "secret"),
    [
        ("the PIN", PaperAccount.PIN),
        ("the TOTP secret", PaperAccount.TOTP_SECRET),
        ("the API secret", PaperAccount.API_SECRET),
        ("the bot's token", PaperAccount.BOT_TOKEN),
    ],
)
def test_a_secret_of_the_account_is_found_wherever_it_was_written(
    base: Path, desk: Path, what: str, secret: str
) -> None:
    (desk / "desk.log").write_text(f"POST /login?pin={secret}&more\n")
    assert leaks(base) == [f"popen-gw0/test_one0/data/desk.log shows {what}"]


def test_made_up_values_may_be_those_of_the_account_and_of_nothing_else(base: Path) -> None:
    folder = base / "popen-gw0" / f"{FUZZED}live0"
    load(munshi_data_dir=folder)
    (folder / "munshi.db").write_text(PaperAccount.PIN)
    assert leaks(base) == []
    (folder / "munshi.db").write_bytes((folder / "admin_token").read_bytes())
    assert leaks(base) == [f"popen-gw0/{FUZZED}live0/munshi.db shows admin token"]


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_secret_is_found_outside_its_file(base: Path, desk: Path, name: str) -> None:
    load(munshi_data_dir=desk)
    assert leaks(base) == []
    (desk / "munshi.db").write_bytes(b"\x00" + (desk / name).read_bytes() + b"\x00")
    assert leaks(base) == [f"popen-gw0/test_one0/data/munshi.db shows {name.replace('_', ' ')}"]


def test_tokens_and_token_ids_are_known_from_the_ledger_and_found_elsewhere(base: Path, desk: Path) -> None:
    login = Login(Store(desk / LEDGER_FILE), SystemClock())
    token = login.on_the_website()
    app = (PaperAccount.API_KEY, PaperAccount.API_SECRET)
    token_id = login.grant(login.open_consent(PaperAccount.CLIENT_ID, *app), PaperAccount.CLIENT_ID)
    assert leaks(base) == []
    (desk / "export.csv").write_text(f"order,{token}\n")
    (desk / "web.log").write_text(f"GET /auth/callback?tokenId={token_id}\n")
    assert leaks(base) == [
        "popen-gw0/test_one0/data/export.csv shows an access token",
        "popen-gw0/test_one0/data/web.log shows a token id",
    ]


def test_digits_of_a_longer_number_are_no_pin() -> None:
    assert list(Canaries().found_in(f"order 5{PaperAccount.PIN}1".encode())) == []


@pytest.mark.parametrize(
    "word", ["&totp={code}", "{'totp': '{code}'}", "Invalid code {code}.", "next=%2Fapp%3Ftotp%3D{code}"]
)
def test_a_one_time_code_is_known_from_the_ledger_and_found_near_what_it_is(base: Path, desk: Path, word: str) -> None:
    login = Login(Store(desk / LEDGER_FILE), SystemClock())
    with pytest.raises(Refused):
        login.with_code(PaperAccount.CLIENT_ID, PaperAccount.PIN, "604113")
    assert leaks(base) == []
    (desk / "desk.log").write_text(word.replace("{code}", "604113"))
    assert leaks(base) == ["popen-gw0/test_one0/data/desk.log shows a one-time code"]


@pytest.mark.parametrize(
    "text", ["code 1604113", "totp at 12:00:00.604113", "order 604113 of 604113", "a_code_604113_b"]
)
def test_six_digits_that_are_met_by_chance_are_no_one_time_code(text: str) -> None:
    assert list(Canaries({b"604113": "a one-time code"}).found_in(text.encode())) == []


@pytest.mark.parametrize(
    "text", ["pin%3D{}", "next=%2Fapp%3Fpin%3D{}%26x%3D1", "again=next%253D%252Fapp%253Fpin%253D{}"]
)
def test_a_secret_in_a_quoted_address_is_found(text: str) -> None:
    assert list(Canaries().found_in(text.format(PaperAccount.PIN).encode())) == ["the PIN"]


def test_what_the_bot_sent_is_searched_and_what_people_typed_is_not(base: Path, desk: Path) -> None:
    chat = Chat(desk, SystemClock())
    typed = chat.people.write(f"/login {PaperAccount.PIN}", user_id=1, chat_id=1)
    chat.messages.add(1, {"from": BOT, "text": "Delete that.", "reply_to_message": typed}, html="Delete that.")
    assert leaks(base) == []
    chat.messages.add(1, {"from": BOT, "text": f"Signed in with {PaperAccount.PIN}"})
    report = chat.files.keep(Upload(name="a.csv", mime_type="text/csv", content=PaperAccount.API_SECRET.encode()), "d")
    chat.people.send_file(report, user_id=1, chat_id=1)
    shown = [f"popen-gw0/test_one0/data/{CHAT_FILE} shows the PIN"]
    assert leaks(base) == shown
    chat.messages.add(1, {"from": BOT, "document": report.as_json()})
    assert leaks(base) == [f"popen-gw0/test_one0/data/{CHAT_FILE} shows the API secret", *shown]
    chat.store.close()


def test_secrets_of_another_test_are_not_looked_for(base: Path, desk: Path) -> None:
    load(munshi_data_dir=desk)
    other = base / "test_two0"
    other.mkdir()
    (other / "log").write_text((desk / "webhook_secret").read_text())
    assert leaks(base) == []


def test_a_test_that_failed_or_said_a_secret_fails_the_run(base: Path) -> None:
    folders = SimpleNamespace(_tmp_path_factory=SimpleNamespace(getbasetemp=lambda: base))
    watch = CanaryWatch(cast("pytest.Config", folders))
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    said = [("Captured log setup", PaperAccount.PIN), ("Captured expected errors call", PaperAccount.API_SECRET)]
    for outcome, longrepr in (("passed", None), ("failed", f"E  assert '{PaperAccount.BOT_TOKEN}' == ''")):
        watch.pytest_runtest_logreport(
            pytest.TestReport("a.py::test", ("a.py", 1, "test"), {}, outcome, longrepr, "call", sections=said)
        )
    watch.pytest_sessionfinish(session)
    assert session.exitstatus == pytest.ExitCode.TESTS_FAILED
    assert watch._found == [
        "a.py::test: Captured expected errors call shows the API secret",
        "a.py::test: its failure shows the bot's token",
        "a.py::test: Captured expected errors call shows the API secret",
    ]


def test_what_the_bot_showed_for_a_while_is_searched_too(base: Path, desk: Path) -> None:
    chat = Chat(desk, SystemClock())
    chat.messages.add(1, {"from": BOT, "text": "…"}, html=f"<b>{PaperAccount.PIN}</b>")
    posted = chat.messages.find(1, 1)
    assert posted
    chat.messages.rewrite(posted, posted.body, html="Better", text_changed=True)
    chat.people.answered(chat.people.tap(1, "token", user_id=1, chat_id=1), PaperAccount.API_SECRET)
    assert [words.partition(" shows ")[2] for words in leaks(base)] == ["the API secret", "the PIN"]
    chat.store.close()


@pytest.mark.parametrize(
    ("headers", "body", "what"),
    [
        ({"Link": "</auth/callback?tokenId=9c1f-token-id>"}, "", "a token id"),
        ({}, "<a href='/again?next=%2F%3FtokenId%3D9c1f-token-id'>", "a token id"),
        ({"X-Was": "secret-of-this-desk"}, "", "dhan api secret"),
        ({}, f"PIN {PaperAccount.PIN}", "the PIN"),
    ],
)
def test_an_answer_that_shows_a_secret_is_found(desk: Path, headers: dict[str, str], body: str, what: str) -> None:
    answers = Answers(load(munshi_data_dir=desk, dhan_api_key="key", dhan_api_secret="secret-of-this-desk"))
    asked = httpx.Request("GET", "http://127.0.0.1/auth/callback?tokenId=9c1f-token-id")
    answers.hear(httpx.Response(200, headers={"Content-Type": "text/html"}, text="Signed in", request=asked))
    answers.check()
    answers.hear(httpx.Response(200, headers=headers, text=body, request=asked))
    with pytest.raises(AssertionError, match=f"an answer shows {what}"):
        answers.check()
    overheard.taken()  # which tells what it was


def test_what_is_read_from_a_socket_is_an_answer_too(desk: Path) -> None:
    settings = load(munshi_data_dir=desk)
    answers = Answers(settings)
    answers.hear_raw(b"HTTP/1.1 200 OK\r\n\r\n" + (desk / "admin_token").read_bytes())
    with pytest.raises(AssertionError, match="an answer shows admin token"):
        answers.check()
    overheard.taken()


def raise_after_another(*, and_hide_it: bool) -> None:
    try:
        int("the first")
    except ValueError as first:
        raise KeyError("the second") from None if and_hide_it else first


def test_what_a_test_takes_for_itself_is_kept_for_the_search(capsys: pytest.CaptureFixture[str]) -> None:
    overheard.taken()
    with pytest.raises(KeyError):
        raise_after_another(and_hide_it=True)
    assert overheard.taken() == [("expected errors", "KeyError('the second') 'the second'")]
    with pytest.raises(ExceptionGroup):
        raise ExceptionGroup("several", [LookupError("one of them")])
    with pytest.raises(KeyError):
        raise_after_another(and_hide_it=False)
    print("printed")
    capsys.readouterr()
    subprocess.run([sys.executable, "-c", "print('said by a child')"], capture_output=True, check=True)
    kept = overheard.taken()
    for words in ("one of them", "the first", "printed", "said by a child"):
        assert any(words in text for _, text in kept), words

"""Secrets of the suite's desks, and where they must not turn up: in logs, messages, exceptions, databases, CSV files.

The desks of all tests know the stand-ins' made-up secrets, which are found nowhere by chance; so are the tokens that
the stand-in's Dhan gave out, which its own ledger still knows, and what a desk generated for itself. Their homes are
spared: the ledger, and what people typed in the stand-in's chats, since they are the outside world, in which people
type what they should not; our own source, which names the made-up account; and the files in which a desk keeps its
secrets.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx
import pytest
from pydantic import SecretStr

from core.db.driver import sqlite_driver
from core.sandbox.dhan.app import LEDGER_FILE
from core.sandbox.telegram.chat import CHAT_FILE
from core.settings import PaperAccount, Settings

_WRITE_THEM = (
    "tests/unit/test_redaction.py",
    "tests/integration/webhook/test_openapi.py",
    "tests/contract/test_official_client.py::test_the_socket_tells_of_orders",
)
"""Log secrets: one on purpose, to see them masked, one by chance; pytest captures them before the mask. And Dhan's own
client writes the token on the terminal."""
FUZZED = "fuzzed-"
"""Begins the folder name of a desk that is sent made-up values: Hypothesis takes short texts of our source for them."""
GENERATED = ("webhook_secret", "admin_token", "postback_key", "token_keys")
_ALWAYS = {
    "the bot's token": PaperAccount.BOT_TOKEN,
    "the API secret": PaperAccount.API_SECRET,
    "the TOTP secret": PaperAccount.TOTP_SECRET,
    "the PIN": PaperAccount.PIN,
}
_GIVEN_OUT = {
    "an access token": "SELECT token FROM tokens",
    "a one-time code": "SELECT DISTINCT code FROM codes",
    "a token id": "SELECT token_id FROM consents WHERE token_id IS NOT NULL",
}
_QUOTED = re.compile(rb"%[0-9A-Fa-f]{2}")


@dataclass
class Canaries:
    """What must not turn up, by what it is."""

    secrets: dict[bytes, str] = field(default_factory=lambda: {text.encode(): what for what, text in _ALWAYS.items()})

    def learn(self, folder: Path) -> None:
        """Add what the desks and the ledgers below this folder know."""
        for file in folder.rglob("*"):
            if file.name in GENERATED and file.is_file():
                self.add(file.name.replace("_", " "), file.read_text(errors="replace").split(","))
            elif file.name == LEDGER_FILE:
                for what, query in _GIVEN_OUT.items():
                    self.add(what, (row[0] for row in _read(file, query)))

    def found_in(self, text: bytes) -> Iterator[str]:
        """What of it is in there, as it is or quoted for an address, once or more."""
        forms = [text]
        while _QUOTED.search(forms[-1]):
            forms.append(unquote_to_bytes(forms[-1]))
        for secret, what in self.secrets.items():
            if any(_is_there(secret, form) for form in forms):
                yield what

    def add(self, what: str, texts: Iterable[str]) -> None:
        """These, but for what is too short not to be met by chance."""
        found = {text.strip().encode(): what for text in texts}
        self.secrets |= {secret: what for secret, what in found.items() if len(secret) >= 8 or _is_code(secret)}


def _is_code(secret: bytes) -> bool:
    return len(secret) == 6 and secret.isdigit() and secret != PaperAccount.PIN.encode()


def _is_there(secret: bytes, text: bytes) -> bool:
    """Digits as a number of their own; a one-time code, which is met by chance, near a word that says what it is."""
    if secret not in text:
        return False
    if _is_code(secret):
        return re.search(rb"(?i)(?:otp|code).{0,40}?(?<![\w.])%b(?!\w|\.\d)" % secret, text) is not None
    return not secret.isdigit() or re.search(rb"(?<!\w)%b(?!\w)" % secret, text) is not None


class Answers:
    """What a desk's web process answers to the clients of a test that let this hear it: no secret of that desk."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asked_with: set[str] = set()
        self._said: dict[bytes, None] = {}

    def hear(self, answer: httpx.Response) -> None:
        """An answer as the client has it, headers and all; it must not repeat a token id that it was asked with."""
        head = b"\n".join(name + b": " + value for name, value in answer.headers.raw)
        self.hear_raw(head + b"\n" + answer.read())
        self._asked_with.add(answer.request.url.params.get("tokenId", ""))

    def hear_raw(self, said: bytes) -> None:
        self._said[said] = None

    def check(self) -> None:
        """Raises AssertionError with the first answer that shows one."""
        canaries = _known_in(self._settings.munshi_data_dir)
        canaries.add("a token id", self._asked_with)
        for name, value in self._settings:
            if isinstance(value, SecretStr):
                canaries.add(name.replace("_", " "), value.get_secret_value().split(","))
        for said in self._said:
            found = list(canaries.found_in(said))
            assert not found, f"an answer shows {found[0]}: {said.decode(errors='replace')}"


def leaks(base: Path) -> list[str]:
    """Every place below the tests' folder where a secret of the same test stands, in words. Costs one read of all."""
    return [f"{file.relative_to(base)} shows {what}" for folder in _folders(base) for file, what in _leaks_of(folder)]


def _folders(base: Path) -> Iterator[Path]:
    """One folder per test; those of a worker lie together."""
    for folder in sorted(base.iterdir()):
        if folder.is_dir() and not folder.is_symlink():
            yield from _folders(folder) if folder.name.startswith("popen-") else [folder]


def _known_in(folder: Path) -> Canaries:
    canaries = Canaries({}) if folder.name.startswith(FUZZED) else Canaries()
    canaries.learn(folder)
    return canaries


def _leaks_of(folder: Path) -> Iterator[tuple[Path, str]]:
    canaries = _known_in(folder)
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not _is_home(file):
            for what in canaries.found_in(_sent_by_bot(file) if file.name == CHAT_FILE else file.read_bytes()):
                yield file, what


def _is_home(file: Path) -> bool:
    is_outside = file.name.startswith((LEDGER_FILE, f"{CHAT_FILE}-"))
    return is_outside or file.suffix == ".py" or file.name.lstrip(".").split(".")[0] in GENERATED


def _sent_by_bot(chat: Path) -> bytes:
    """Its messages, without those of people that it answered, its files, and what it showed for a while."""
    sent = b"".join(f"{text}\n".encode() for (text,) in _read(chat, "SELECT text FROM shown_before"))
    files = dict(_read(chat, "SELECT file_id, content FROM files"))
    for text, html in _read(chat, "SELECT body, html FROM messages"):
        body = json.loads(text)
        if body.get("from", {}).get("is_bot"):
            said = json.dumps(body | {"reply_to_message": None}, ensure_ascii=False)
            sent += f"{said}\n{html}\n".encode()
            sent += b"".join(content for name, content in files.items() if name in said)
    return sent


def _read(file: Path, query: str) -> list[Any]:
    driver = sqlite_driver()
    connection = driver.connect(str(file))
    try:
        return connection.execute(query).fetchall()
    except driver.OperationalError:  # no such table: it was never signed in there
        return []
    finally:
        connection.close()


class CanaryWatch:
    """After the last test: no secret in anything that the whole run has logged or written. Fails the run otherwise."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._said: list[tuple[str, bytes]] = []
        self._found: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid.startswith(_WRITE_THEM):
            return
        shown = [("its failure", report.longreprtext)] if report.failed else []
        shown += [section for section in report.sections if section[0].endswith(f" {report.when}")]  # or each again
        self._said += [(f"{report.nodeid}: {title}", text.encode()) for title, text in shown]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        folders: Any = self._config._tmp_path_factory
        base, canaries = folders.getbasetemp(), Canaries()
        canaries.learn(base)
        self._found = [f"{where} shows {what}" for where, text in self._said for what in canaries.found_in(text)]
        self._found += leaks(base)
        if self._found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for place in self._found:
            terminalreporter.write_line(f"SECRET: {place}", red=True)

"""The arrows and bans of the design, checked on the source. A failure says where, what, and what to do instead."""

import ast
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("bot", "core", "webhook", "migrations")
LONGEST_FILE = 400
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "manager", "managers", "base", "common", "misc"}
CLOCKS = {
    *((owner, call) for owner in ("datetime", "date") for call in ("now", "utcnow", "today")),
    *(("time", call) for call in ("time", "time_ns", "localtime", "gmtime")),
}
IMPURE = {
    *("asyncio", "http", "io", "logging", "os", "pathlib", "random", "secrets", "socket", "sqlite3", "subprocess"),
    *("tempfile", "threading", "time", "urllib"),
}


class Finding(NamedTuple):
    line: int
    what: str


Find = Callable[[ast.AST], Iterator[Finding]]


class Rule(NamedTuple):
    says: str
    find: Find
    inside: tuple[str, ...]  # path prefixes it holds for
    but_not: tuple[str, ...]  # path prefixes that may
    instead: str

    def covers(self, path: str) -> bool:
        return path.startswith(self.inside) and not (self.but_not and path.startswith(self.but_not))


def imports(banned: Callable[[str], bool]) -> Find:
    def find(tree: ast.AST) -> Iterator[Finding]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from (Finding(node.lineno, f"imports {module}") for module in imported(node) if banned(module))

    return find


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]


def of(*packages: str) -> Callable[[str], bool]:
    return lambda module: any(f"{module}.".startswith(f"{package}.") for package in packages)


def foreign_to_domain(module: str) -> bool:
    top = module.split(".", maxsplit=1)[0]
    return not of("core.domain")(module) and (top not in sys.stdlib_module_names or top in IMPURE)


def clock_readings(tree: ast.AST) -> Iterator[Finding]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=call) if (
                owner,
                call,
            ) in CLOCKS:
                yield Finding(node.lineno, f"reads {owner}.{call}")
            case ast.ImportFrom(module="time") if {alias.name for alias in node.names} & {"time", "time_ns"}:
                yield Finding(node.lineno, "imports time.time")
            case _:
                pass


def dialect_questions(tree: ast.AST) -> Iterator[Finding]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Attribute(attr="dialect"), attr="name"):
                yield Finding(node.lineno, "asks for the dialect's name")
            case _:
                pass


def prints(tree: ast.AST) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield Finding(node.lineno, "prints")


RULES = [
    Rule(
        "core knows neither face",
        imports(of("bot", "webhook")),
        ("core/", "migrations/"),
        (),
        "let the face call core and hand in what core needs",
    ),
    Rule(
        "the faces never meet: bot",
        imports(of("webhook")),
        ("bot/",),
        (),
        "leave a row in the database, or move it to core",
    ),
    Rule(
        "the faces never meet: webhook",
        imports(of("bot")),
        ("webhook/",),
        (),
        "leave a row in the database, or move it to core",
    ),
    Rule(
        "web holds no session with the broker",
        imports(of("core.broker", "core.engine")),
        ("webhook/",),
        (),
        "write a row; the desk, which alone may trade, acts on it",
    ),
    Rule(
        "the domain is pure",
        imports(foreign_to_domain),
        ("core/domain/",),
        (),
        "the domain computes from its arguments: take the value as a parameter and do the I/O in the caller",
    ),
    Rule(
        "the sandbox is another process",
        imports(of("core.sandbox")),
        ("bot/", "core/", "webhook/", "migrations/"),
        ("core/sandbox/",),
        "speak HTTP to it, as to the real Dhan and Telegram; core.cli starts it by `python -m core.sandbox`",
    ),
    Rule(
        "one module speaks HTTP",
        imports(of("httpx", "httpcore", "h11", "requests", "aiohttp")),
        PRODUCT,
        (
            *("core/broker/dhan/client.py", "core/broker/dhan/lines.py"),
            *("core/sandbox/tradingview.py", "core/tls.py", "core/secrets/google.py", "webhook/connections.py"),
        ),
        "ask core/broker/dhan/client.py, the only one with the time-outs and the rule against resending",
    ),
    Rule(
        "one module knows the PostgreSQL driver",
        imports(of("psycopg", "psycopg_pool")),
        PRODUCT,
        ("core/db/postgresql.py",),
        "go through core.db.engine; on SQLite the driver is not even installed",
    ),
    Rule(
        "only core.db knows which database it is",
        dialect_questions,
        PRODUCT,
        ("core/db/", "migrations/"),
        "let core.db offer what differs as one function, for both",
    ),
    Rule(
        "only the bot speaks Telegram",
        imports(of("telegram")),
        PRODUCT,
        ("bot/",),
        "put the message in the outbox; bot/messenger.py sends it",
    ),
    Rule(
        "one module reads the machine's clock",
        clock_readings,
        PRODUCT,
        ("core/clock.py",),
        "take `now`, or a core.clock.Clock, as an argument",
    ),
    Rule("only the command line prints", prints, PRODUCT, ("core/cli/",), "log it, or return it to the caller"),
    Rule(
        "imports are absolute",
        imports(lambda module: module.startswith(".")),
        PRODUCT,
        (),
        "write the full module name",
    ),
]


@cache
def sources() -> dict[str, ast.Module]:
    files = [file for folder in PRODUCT for file in (ROOT / folder).rglob("*.py")]
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in files}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    broken = [
        f"{path}:{finding.line} {finding.what}"
        for path, tree in sources().items()
        if rule.covers(path)
        for finding in rule.find(tree)
    ]
    assert not broken, "\n".join([f"{rule.says}. Instead: {rule.instead}.", *broken])


@pytest.mark.parametrize(
    ("says", "path", "text"),
    [
        ("core knows neither face", "core/engine/desk.py", "from bot.card_views import card"),
        ("the faces never meet: bot", "bot/app.py", "import webhook.app"),
        ("the faces never meet: webhook", "webhook/app.py", "from bot import app"),
        ("web holds no session with the broker", "webhook/app.py", "from core import engine"),
        ("the domain is pure", "core/domain/order.py", "from core.db import tables"),
        ("the domain is pure", "core/domain/order.py", "import pydantic"),
        ("the domain is pure", "core/domain/order.py", "from os import environ"),
        ("the sandbox is another process", "core/cli/up.py", "from core import sandbox"),
        ("one module speaks HTTP", "core/broker/dhan/auth.py", "def login():\n    import httpx"),
        ("only the bot speaks Telegram", "core/notifications.py", "from telegram.error import TimedOut"),
        ("one module reads the machine's clock", "core/intake.py", "import datetime\ndatetime.datetime.now()"),
        ("one module reads the machine's clock", "core/intake.py", "from datetime import date\ntoday = date.today"),
        ("one module reads the machine's clock", "core/intake.py", "from time import time"),
        ("only the command line prints", "core/intake.py", "print('hello')"),
        ("imports are absolute", "core/intake.py", "from . import clock"),
    ],
)
def test_a_breach_is_noticed(says: str, path: str, text: str) -> None:
    rule = next(rule for rule in RULES if rule.says == says)
    assert rule.covers(path)
    assert list(rule.find(ast.parse(text)))


def test_files_are_short_enough_to_read_in_one_go() -> None:
    files = [*(ROOT / "tests").rglob("*.py"), ROOT / "start.py", *(ROOT / path for path in sources())]
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    long = [f"{file.relative_to(ROOT)}: {length}" for file, length in lengths.items() if length > LONGEST_FILE]
    assert not long, f"over {LONGEST_FILE} lines; split by noun: " + ", ".join(long)


def test_names_say_what_is_in_the_module() -> None:
    empty = [path for path in sources() if EMPTY_WORDS & {*Path(path).stem.split("_"), *Path(path).parent.parts}]
    assert not empty, "named after nothing; name them for the noun they hold: " + ", ".join(empty)

"""`python -m core`, as people call it."""

import base64
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from core.broker.dhan.instrument_counts import LEAST_ON_PAPER
from core.broker.dhan.instruments import InstrumentList
from core.cli import COMMANDS, main
from core.cli.claims import Taken, claim
from core.errors import EX_CONFIG
from core.sandbox.dhan.instruments import instrument_file
from core.settings import PaperAccount
from tests import overheard
from tests.builders import fresh_address
from tests.unit.alerts.alert_samples import SHARE, body
from tests.world.nursery import Streams, born

ROOT = Path(__file__).parents[2]
AS_AMO = "as an after-market order, reaches the exchange"


@dataclass(frozen=True)
class Done:
    returncode: int | None
    stdout: str
    stderr: str


def munshi(*arguments: str, data_dir: Path, typed: str = "", **settings: str) -> Done:
    """Run a command to its end, away from the repository, so that no `.env` there is read."""
    environment = os.environ | settings | {"MUNSHI_DATA_DIR": str(data_dir)}
    with TemporaryDirectory() as beside:
        streams = Streams(read=Path(beside, "in"), out=Path(beside, "out"), err=Path(beside, "err"))
        streams.read.write_text(typed)
        running = born(("-m", "core", *arguments), environment, data_dir, streams)
        running.join(timeout=60)
        done = Done(running.exitcode, streams.out.read_text(), streams.err.read_text())
    if arguments[0] != "secret":  # which it is for
        overheard.note("child processes", done.stdout, done.stderr)
    return done


def test_the_secret_goes_to_output_and_the_warning_beside_it(tmp_path: Path) -> None:
    done = munshi("secret", data_dir=tmp_path)
    assert done.stdout.strip() == (tmp_path / "webhook_secret").read_text()
    assert "keep it out of chats" in done.stderr
    assert munshi("secret", data_dir=tmp_path).stdout == done.stdout


def test_a_reader_that_has_seen_enough_ends_a_command_without_a_fuss(tmp_path: Path) -> None:
    environment = os.environ | {"MUNSHI_DATA_DIR": str(tmp_path), "PYTHONUNBUFFERED": ""}
    command = [sys.executable, "-m", "core", "secret"]
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()  # long before it has anything to say
        said = running.stderr.read().decode()
    assert running.returncode == 1
    assert "keep it out of chats" in said
    assert "Broken pipe" not in said, said


def test_migrate_makes_the_database_and_may_be_repeated(tmp_path: Path) -> None:
    assert munshi("migrate", data_dir=tmp_path).returncode == 0
    assert (tmp_path / "munshi.db").exists()
    assert munshi("migrate", data_dir=tmp_path).returncode == 0


def test_bad_settings_stop_a_start_with_a_line_for_each(tmp_path: Path) -> None:
    done = munshi("up", data_dir=tmp_path, MUNSHI_MODE="live", WEBHOOK_SECRET="short")
    assert done.returncode == EX_CONFIG
    heading, *faults = done.stderr.splitlines()
    assert heading == "Munshi refuses to start with these settings:"
    assert [fault.split(":")[0].strip() for fault in faults] == [
        "DHAN_CLIENT_ID",
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_OPERATORS",
        "WEBHOOK_SECRET",
    ]


def a_token(**claims: object) -> str:
    body = {"exp": 4_000_000_000, "dhanClientId": PaperAccount.CLIENT_ID, **claims}
    return f"canary.{base64.urlsafe_b64encode(json.dumps(body).encode()).decode()}.canary"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "this is no token"),
        ("canary\n", "this is no token"),
        (a_token(dhanClientId="1100000002"), "another account than DHAN_CLIENT_ID; it was not kept"),
        (a_token(exp=1_700_000_000), "this token ended 15 Nov"),
    ],
)
def test_a_token_that_cannot_be_good_is_refused_and_not_shown(tmp_path: Path, typed: str, words: str) -> None:
    done = munshi("token", data_dir=tmp_path, typed=typed)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "canary" not in done.stderr


def test_a_token_as_an_argument_is_not_taken_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["token", "canary.canary.canary"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "token takes no such argument" in said
    assert "canary" not in said


def test_without_a_desk_a_token_is_kept_sealed_for_the_next_one(tmp_path: Path) -> None:
    munshi("migrate", data_dir=tmp_path)
    done = munshi("token", data_dir=tmp_path, typed=a_token() + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Kept, encrypted. No desk runs now")
    assert b"canary" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_a_second_start_on_the_same_data_is_refused(tmp_path: Path, free_port: int) -> None:
    with claim(tmp_path):
        done = munshi("up", data_dir=tmp_path, PORT=str(free_port))
    assert done.returncode == 1
    assert done.stderr.strip() == f"munshi up: Munshi already runs on {tmp_path} (process {os.getpid()})"


def test_the_data_can_be_claimed_again_once_it_is_let_go(tmp_path: Path) -> None:
    with claim(tmp_path), pytest.raises(Taken), claim(tmp_path):
        pass
    with claim(tmp_path):
        pass


@pytest.mark.parametrize("setting", ["PORT", "SANDBOX_PORT"])
def test_a_port_that_somebody_else_has_is_named_with_the_way_out(tmp_path: Path, free_port: int, setting: str) -> None:
    other = {"PORT": "SANDBOX_PORT", "SANDBOX_PORT": "PORT"}[setting]
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        done = munshi("up", data_dir=tmp_path, **{setting: str(port), other: str(free_port)})
    assert done.returncode == 1
    expected = f"port {port} on 127.0.0.1 is taken by another program; choose another one with {setting}"
    assert done.stderr.strip() == f"munshi up: {expected}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert COMMANDS[name].does.split(",")[0] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (body(SHARE), 0, "Leg 1: buy 10 shares of RELIANCE"),
        (body({**SHARE, "quantity": "0"}), 1, "quantity"),
        (b"not an alert", 1, "JSON"),
    ],
)
def test_check_tells_a_script_whether_the_alert_has_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, code: int, says: str
) -> None:
    (tmp_path / "alert.json").write_bytes(text)
    assert main(["check", str(tmp_path / "alert.json")]) == code
    assert says in capsys.readouterr().out


def test_what_if_prints_the_decision_with_its_reason(tmp_path: Path) -> None:
    fresh_address(tmp_path)
    (tmp_path / "list.csv").write_bytes(instrument_file(date(2026, 11, 25)))
    listed = InstrumentList(tmp_path / "instruments.db", least=LEAST_ON_PAPER)
    listed.load(tmp_path / "list.csv", date(2026, 11, 25))
    (tmp_path / "alert.json").write_bytes(body(SHARE))
    done = munshi("whatif", "alert.json", "--at", "2026-12-01T16:00", data_dir=tmp_path)
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == [
        f"BUY 10 RELIANCE on NSE: queue, leaves Tue 1 Dec 17:00 {AS_AMO} Wed 2 Dec 09:45.",
        "The session is over: the next after-market window opens Tue 1 Dec 17:00.",
        "You would be asked first.",
        "Or: At the open, Wed 2 Dec 09:15.",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["alert.json", "--at", "teatime"], "'teatime' is no time; write it like 20"),
        (["alert.json"], "the instrument list has not been downloaded yet"),
        (["nowhere.json"], "nowhere.json cannot be read"),
    ],
)
def test_what_if_says_what_is_missing(tmp_path: Path, arguments: list[str], says: str) -> None:
    fresh_address(tmp_path)
    (tmp_path / "alert.json").write_bytes(body(SHARE))
    done = munshi("whatif", *arguments, data_dir=tmp_path)
    assert (done.returncode, says in done.stderr, "Traceback" in done.stderr) == (1, True, False)

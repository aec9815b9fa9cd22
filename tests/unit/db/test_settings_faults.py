"""Settings that cannot be right: the desk refuses to start, with one sentence per fault that names the variable."""

from pathlib import Path

import pytest

from core.bootstrap import set_clock
from core.clock import PaperClock, to_india
from core.errors import BadSettings
from core.settings import PaperAccount, Role, Settings, load, unheeded_in_file

LIVE = {
    "MUNSHI_MODE": "live",
    "DHAN_CLIENT_ID": "1100000001",
    "TELEGRAM_BOT_TOKEN": "12345:abc",
    "TELEGRAM_OPERATORS": "42",
}
ENOUGH = "sixteen-letters!"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


def faults(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    with pytest.raises(BadSettings) as refused:
        loaded(monkeypatch, **environment)
    assert str(refused.value) == "\n".join(refused.value.faults)
    return refused.value.faults


def test_paper_mode_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch)
    assert settings.paper
    assert settings.database == "sqlite:///data/munshi.db"
    assert settings.client_id == PaperAccount.CLIENT_ID
    assert settings.operators == {PaperAccount.OPERATOR_ID: Role.ADMIN}


def test_live_mode_needs_its_account_bot_and_operators_and_names_all_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert faults(monkeypatch, MUNSHI_MODE="live") == [
        "DHAN_CLIENT_ID: live mode needs your Dhan client id, the digits shown in your Dhan profile",
        "TELEGRAM_BOT_TOKEN: live mode needs a bot token from @BotFather",
        "TELEGRAM_OPERATORS: live mode needs your Telegram user id, or nobody could approve an order",
    ]


@pytest.mark.parametrize("name", ["DHAN_API_URL", "DHAN_AUTH_URL", "DHAN_INSTRUMENTS_URL"])
def test_live_mode_sends_no_secret_in_clear_text(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    [fault] = faults(monkeypatch, **LIVE, **{name: "http://api.dhan.co/v2"})
    assert fault == f"{name}: an address outside this machine must begin with https:// or wss://"


def test_live_mode_with_all_it_needs_speaks_to_the_real_dhan(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, **LIVE)
    assert not settings.paper
    assert settings.dhan_api == "https://api.dhan.co/v2"
    assert settings.dhan_auth == "https://auth.dhan.co"
    assert settings.telegram_api == "https://api.telegram.org/bot"
    assert settings.operators == {42: Role.ADMIN}
    assert settings.pin_and_totp is None


@pytest.mark.parametrize("missing", ["DHAN_CLIENT_ID", "TELEGRAM_BOT_TOKEN", "TELEGRAM_OPERATORS"])
def test_a_setting_that_is_empty_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    [fault] = faults(monkeypatch, **LIVE | {missing: ""})
    assert fault.startswith(f"{missing}: live mode needs")


def test_operators_that_name_nobody_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    [fault] = faults(monkeypatch, **LIVE | {"TELEGRAM_OPERATORS": " , "})
    assert fault.startswith("TELEGRAM_OPERATORS: ")


def test_the_clock_is_set_in_paper_mode_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, **LIVE, MUNSHI_CLOCK="2026-12-01T10:30") == [
        "MUNSHI_CLOCK: the clock can be set in paper mode only"
    ]


@pytest.mark.parametrize("name", ["DHAN_API_URL", "DHAN_AUTH_URL", "DHAN_INSTRUMENTS_URL"])
@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.dhan.co/v2", "api.dhan.co"),
        ("https://127.0.0.1@api.dhan.co/v2", "api.dhan.co"),
        ("https://127.0.0.1.example.com/v2", "127.0.0.1.example.com"),
        ("https://localhost.dhan.co/v2", "localhost.dhan.co"),
        ("api.dhan.co/v2", "None"),
    ],
)
def test_paper_mode_talks_to_no_foreign_host(monkeypatch: pytest.MonkeyPatch, name: str, url: str, host: str) -> None:
    [fault] = faults(monkeypatch, **{name: url})
    assert fault == f"{name}: paper mode talks only to this machine or to Dhan's sandbox, not to {host}"


@pytest.mark.parametrize(
    "root", ["http://127.0.0.1:9", "http://localhost", "http://[::1]:9", "https://sandbox.dhan.co", "http://LOCALHOST"]
)
def test_paper_mode_talks_to_this_machine_and_to_dhans_sandbox(monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    assert loaded(monkeypatch, DHAN_API_URL=f"{root}/v2").dhan_api == f"{root}/v2"


@pytest.mark.parametrize("name", ["WEBHOOK_SECRET", "ADMIN_TOKEN"])
@pytest.mark.parametrize("secret", ["changeme", "SECRET", "x", "fifteen-letters"])
def test_a_secret_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, secret: str) -> None:
    assert faults(monkeypatch, **{name: secret}) == [
        f"{name}: use at least 16 random characters, or leave it unset and one is made for you"
    ]
    assert len(ENOUGH) == 16
    assert loaded(monkeypatch, **{name: ENOUGH})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MUNSHI_MODE", "real"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("SANDBOX_PORT", "eighty"),
        ("WEBHOOK_WAIT_MS", "2001"),
        ("WEBHOOK_WAIT_MS", "-1"),
        ("LOG_FORMAT", "xml"),
        ("TOKEN_KEYS", "no-key-at-all"),
        ("DATABASE_URL", "munshi.db"),
        ("DHAN_API_URL", "http://[::1"),
        ("DHAN_API_URL", "http://127.0.0.1:99999/v2"),
        ("DHAN_AUTH_URL", "ftp://127.0.0.1/"),
        ("DHAN_INSTRUMENTS_URL", "http://sandbox.dhan.co/list.csv"),
        ("DHAN_TOTP_SECRET", "JBSW Y3DP EHPK 3PXP"),
        ("DHAN_TOTP_SECRET", "JBSWY3DPEHPK3PX1"),
        ("DHAN_TOTP_SECRET", "JBSWY3DPEHPK3PXPA"),
        ("DHAN_TOTP_SECRET", "JBSWY3DP"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with_it = {"DHAN_TOTP_SECRET": {"DHAN_PIN": "123456"}}.get(name, {})
    [fault] = faults(monkeypatch, **{name: value}, **with_it)
    assert fault.startswith(f"{name}: ")
    assert "\n" not in fault


@pytest.mark.parametrize(
    ("operators", "fault"),
    [
        ("@someone", "'@someone' should be a numeric Telegram user id, optionally ':viewer', ':approver' or ':admin'"),
        ("42:owner", "'owner' is no role; use viewer, approver or admin"),
        ("42,admin", "'admin' should be a numeric Telegram user id, optionally ':viewer', ':approver' or ':admin'"),
        ("-42", "'-42' should be a numeric Telegram user id, optionally ':viewer', ':approver' or ':admin'"),
        ("4²", "'4²' should be a numeric Telegram user id, optionally ':viewer', ':approver' or ':admin'"),
    ],
)
def test_an_operator_who_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, operators: str, fault: str) -> None:
    assert faults(monkeypatch, TELEGRAM_OPERATORS=operators) == [f"TELEGRAM_OPERATORS: {fault}"]


def test_operators_are_read_with_their_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, TELEGRAM_OPERATORS=" 1, 2:viewer,3:approver ,4:admin,")
    assert settings.operators == {1: Role.ADMIN, 2: Role.VIEWER, 3: Role.APPROVER, 4: Role.ADMIN}


def test_with_a_bot_of_ones_own_nobody_is_an_operator_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch, TELEGRAM_BOT_TOKEN="12345:abc").operators == {}


def test_an_account_of_ones_own_is_never_signed_in_with_the_stand_ins_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch).pin_and_totp is not None
    own = {"DHAN_CLIENT_ID": "1234567890", "DHAN_API_URL": "https://sandbox.dhan.co/v2"}
    settings = loaded(monkeypatch, **own)
    assert (settings.client_id, settings.pin_and_totp, settings.set_aside) == ("1234567890", None, ())


@pytest.mark.parametrize(
    "mine",
    [
        {"DHAN_CLIENT_ID": "1234567890"},
        {"DHAN_CLIENT_ID": "1234567890", "DHAN_ACCESS_TOKEN": "a.b.c"},
        {"DHAN_CLIENT_ID": "1234567890", "DHAN_API_KEY": "my-key", "DHAN_API_SECRET": "my-secret-at-dhan"},
        {"DHAN_PIN": "135790", "DHAN_TOTP_SECRET": PaperAccount.TOTP_SECRET},
    ],
)
def test_paper_mode_sets_an_account_of_ones_own_aside_and_names_what_it_does_not_use(
    monkeypatch: pytest.MonkeyPatch, mine: dict[str, str]
) -> None:
    stand_in = loaded(monkeypatch)
    settings = loaded(monkeypatch, **mine)
    assert set(settings.set_aside) == mine.keys()
    assert (settings.client_id, settings.access_token) == (PaperAccount.CLIENT_ID, None)
    assert settings.pin_and_totp == stand_in.pin_and_totp
    assert settings.api_key_and_secret == stand_in.api_key_and_secret


def test_live_mode_sets_nothing_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, **LIVE | {"DHAN_CLIENT_ID": "1234567890", "DHAN_ACCESS_TOKEN": "a.b.c"})
    assert (settings.set_aside, settings.client_id) == ((), "1234567890")
    assert settings.access_token


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = faults(monkeypatch, DHAN_API_URL="https://api.dhan.co", ADMIN_TOKEN="x", TELEGRAM_OPERATORS="me")
    assert [fault.partition(":")[0] for fault in told] == ["DHAN_API_URL", "ADMIN_TOKEN", "TELEGRAM_OPERATORS"]


def test_refused_settings_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    faults(monkeypatch, MUNSHI_MODE="live")
    assert list(folder.iterdir()) == []


def test_a_fault_never_repeats_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    told = faults(monkeypatch, WEBHOOK_SECRET="canary", ADMIN_TOKEN="canary2")
    assert not [fault for fault in told if "canary" in fault]


def test_the_start_time_is_india_time_unless_it_names_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, MUNSHI_CLOCK="2026-12-01T10:30")
    set_clock(settings)
    assert to_india(PaperClock(settings.clock_file).now()).isoformat()[:16] == "2026-12-01T10:30"
    set_clock(settings.model_copy(update={"munshi_clock": "2026-12-01T10:30Z"}))
    assert to_india(PaperClock(settings.clock_file).now()).isoformat()[:16] == "2026-12-01T16:00"


def test_a_start_time_that_is_no_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, MUNSHI_CLOCK="half past ten")
    with pytest.raises(BadSettings, match="MUNSHI_CLOCK: 'half past ten' is no time; write 2026-12-01T10:30"):
        set_clock(settings)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"DHAN_API_KEY": "key"}, "DHAN_API_KEY and DHAN_API_SECRET"),
        ({"DHAN_API_SECRET": "canary"}, "DHAN_API_KEY and DHAN_API_SECRET"),
        ({"DHAN_PIN": "123456"}, "DHAN_PIN and DHAN_TOTP_SECRET"),
        ({"DHAN_TOTP_SECRET": PaperAccount.TOTP_SECRET}, "DHAN_PIN and DHAN_TOTP_SECRET"),
    ],
)
def test_half_a_way_to_sign_in_is_refused(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], names: str) -> None:
    [fault] = faults(monkeypatch, **given)
    assert fault == f"{names}: one is of no use without the other; set both or none"


def test_in_paper_mode_an_api_key_makes_the_desk_sign_in_by_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch).pin_and_totp
    given = {"DHAN_API_KEY": PaperAccount.API_KEY, "DHAN_API_SECRET": PaperAccount.API_SECRET}
    settings = loaded(monkeypatch, **given)
    assert settings.pin_and_totp is None
    assert settings.api_key_and_secret
    assert settings.set_aside == ()


def test_live_mode_never_falls_back_to_the_stand_ins_account(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, **LIVE)
    assert (settings.pin_and_totp, settings.api_key_and_secret) == (None, None)


@pytest.fixture
def dot_env(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is read, as none is in the other tests."""
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    return folder / ".env"


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("MUNSHI_MOED=live", "did you mean MUNSHI_MODE?"),
        ("munshi_moed=live", "did you mean MUNSHI_MODE?"),
        ("export TELEGRAM_TOKEN=1:canary", "did you mean TELEGRAM_BOT_TOKEN?"),
        ("SITE_ADRESS=canary.example.com", "did you mean SITE_ADDRESS?"),
        ("MUNSHI_SECRETS_DIR=/canary", "set it in the environment, where alone it counts"),
    ],
)
def test_a_name_in_the_file_that_no_setting_has_is_told_with_the_nearest_one(
    dot_env: Path, line: str, cure: str
) -> None:
    dot_env.write_text(f"PORT=8080\n{line}\n")
    assert unheeded_in_file() == {line.removeprefix("export ").partition("=")[0]: cure}


@pytest.mark.parametrize(
    "name",
    ["MUNSHI_MODE", "munshi_mode", "SITE_ADDRESS", "GCP_REGION", "SERVICE", "COMPOSE_PROFILES", "DHAN_PASSWORD"],
)
def test_names_that_something_reads_or_that_may_stay_are_not_told(dot_env: Path, name: str) -> None:
    dot_env.write_text(f"{name}=canary\n")
    assert unheeded_in_file() == {}


def test_names_in_the_environment_are_other_peoples(monkeypatch: pytest.MonkeyPatch, dot_env: Path) -> None:
    dot_env.write_text("PORT=8080\n")
    monkeypatch.setenv("MUNSHI_MOED", "live")
    assert unheeded_in_file() == {}


@pytest.mark.parametrize(
    "rest",
    [
        "QmFzZTY0T2ZBU2VjcmV0",
        "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "ABCDEFGHIJKLMNOPQRST",
        "JBSWYDPEHPK3",
        "zghqxkvtbn",
        "1:a",
    ],
)
@pytest.mark.parametrize("end", ["", "=="])
def test_a_secret_that_was_broken_over_two_lines_is_not_taken_for_a_name(dot_env: Path, rest: str, end: str) -> None:
    dot_env.write_text(f"DHAN_ACCESS_TOKEN=canary\n{rest}{end}")
    assert unheeded_in_file() == {
        "another line": "take it out, or write a name that .env.example has: perhaps a value was broken in two"
    }


def test_settings_that_are_refused_name_the_slip_that_may_be_why(
    monkeypatch: pytest.MonkeyPatch, dot_env: Path
) -> None:
    dot_env.write_text("TELEGRAM_BOT_TOKN=1:canary\n")
    dot_env.chmod(0o600)
    lacking = {name: text for name, text in LIVE.items() if name != "TELEGRAM_BOT_TOKEN"}
    assert faults(monkeypatch, **lacking) == [
        "TELEGRAM_BOT_TOKEN: live mode needs a bot token from @BotFather",
        ".env: TELEGRAM_BOT_TOKN is no setting: did you mean TELEGRAM_BOT_TOKEN?",
    ]

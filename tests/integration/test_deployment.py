"""The files that a deployment needs, read by the programs that will read them, as far as those are on this machine."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from core.secrets.google import TOKEN_SECRET
from core.setting_faults import unheeded
from core.settings import Settings
from tests.integration.webhook.running_web import an_alert_text
from tests.world.processes import until

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
SETTINGS = {"GCP_PROJECT": "my-desk", "TELEGRAM_OPERATORS": "42,43:viewer"}

# gcloud's reference pages: run deploy; compute networks, subnets, addresses, routers and nats create; sql instances,
# databases and users create; secrets create; scheduler jobs create http; builds submit; artifacts repositories create.
DOCUMENTED = {
    "services enable": set(),
    "compute networks create": {"subnet-mode"},
    "compute networks subnets create": {"network", "region", "range"},
    "compute addresses create": {"region"},
    "compute routers create": {"network", "region"},
    "compute routers nats create": {"router", "region", "nat-all-subnet-ip-ranges", "nat-external-ip-pool"},
    "iam service-accounts create": set(),
    "projects add-iam-policy-binding": {"member", "role", "condition"},
    "sql instances create": {
        "region",
        "database-version",
        "edition",
        "tier",
        "storage-auto-increase",
        "backup-start-time",
    },
    "sql databases create": {"instance"},
    "sql users create": {"instance", "password"},
    "secrets create": {"replication-policy", "data-file"},
    "artifacts repositories create": {"location", "repository-format"},
    "builds submit": {"config", "substitutions"},
    "run deploy": {
        *("image", "region", "service-account", "min-instances", "max-instances", "no-cpu-throttling", "cpu", "memory"),
        *("timeout", "concurrency", "execution-environment", "port", "allow-unauthenticated", "network", "subnet"),
        *("vpc-egress", "add-cloudsql-instances", "set-env-vars", "set-secrets"),
    },
    "scheduler jobs create http": {
        *("location", "schedule", "time-zone", "http-method", "uri", "oidc-service-account-email"),
        *("oidc-token-audience", "attempt-deadline"),
    },
}


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not on this machine")


def plan(**settings: str) -> list[list[str]]:
    environment = {"PATH": os.environ["PATH"]} | SETTINGS | settings
    done = subprocess.run(
        ["bash", ROOT / "deploy.sh", "--dry-run"], env=environment, capture_output=True, text=True, check=True
    )
    return [shlex.split(line, comments=True) for line in done.stdout.splitlines()]


def flags(command: list[str]) -> dict[str, str]:
    named = (part.removeprefix("--").partition("=") for part in command if part.startswith("--"))
    return {name: value for name, _, value in named}


def the(noun: str, **settings: str) -> dict[str, str]:
    words = ["gcloud", *noun.split()]
    return next(flags(command) for command in plan(**settings) if command[: len(words)] == words)


def test_the_plan_for_cloud_run_uses_documented_flags_only() -> None:
    for command in plan():
        line = " ".join(command[1:])
        noun = max((noun for noun in DOCUMENTED if line.startswith(noun)), key=len, default=None)
        assert noun, f"no page was read for: {line}"
        assert set(flags(command)) <= DOCUMENTED[noun], line


def test_one_instance_runs_all_the_time_with_its_own_address() -> None:
    run = the("run deploy tradingview-webhook")
    assert (run["min-instances"], run["max-instances"], run["cpu"], run["memory"]) == ("1", "1", "1", "512Mi")
    assert (run["region"], run["timeout"]) == ("asia-south1", "300")
    assert {"no-cpu-throttling", "allow-unauthenticated"} <= run.keys()
    assert (run["network"], run["subnet"], run["vpc-egress"]) == ("munshi", "munshi", "all-traffic")
    nat = the("compute routers nats create munshi")
    assert nat["nat-external-ip-pool"] == "munshi-egress"
    assert the("compute addresses create munshi-egress")["region"] == nat["region"] == "asia-south1"
    assert "LOG_LEVEL=INFO" in run["set-env-vars"]
    assert "TELEGRAM_OPERATORS=42,43:viewer|" in run["set-env-vars"]


def test_the_image_for_cloud_run_has_the_driver_of_the_database_it_gets() -> None:
    build, run = the("builds submit"), the("run deploy tradingview-webhook")
    recipe = (ROOT / build["config"]).read_text()
    lock = re.search(r"--build-arg, LOCK=([\w.-]+),", recipe)
    assert lock
    assert "psycopg==" in (ROOT / lock[1]).read_text()
    assert "COPY ${LOCK} .\n" in (ROOT / "Dockerfile").read_text()
    assert build["substitutions"] == f"_IMAGE={run['image']}"
    assert recipe.count("$_IMAGE") == 2


def test_paper_and_live_have_a_database_a_user_and_a_secret_each() -> None:
    for mode in ("paper", "live"):
        commands = [" ".join(command) for command in plan(MUNSHI_MODE=mode)]
        assert [line for line in commands if line.startswith(f"gcloud sql databases create munshi-{mode} ")]
        assert [line for line in commands if line.startswith(f"gcloud sql users create munshi-{mode} ")]
        assert [line for line in commands if line.startswith(f"gcloud secrets create database-url-{mode} ")]
        run = the("run deploy tradingview-webhook", MUNSHI_MODE=mode)
        assert run["set-secrets"].startswith(f"DATABASE_URL=database-url-{mode}:latest,")
        assert f"|MUNSHI_MODE={mode}|" in run["set-env-vars"]


def test_the_daily_link_is_asked_for_by_the_clock_with_a_token_of_google() -> None:
    job = the("scheduler jobs create http dhan-token-refresh")
    run = the("run deploy tradingview-webhook")
    assert (job["schedule"], job["http-method"]) == ("0 12 * * *", "POST")
    assert job["uri"] == f"{job['oidc-token-audience']}/refresh-token?use_callback=true"
    assert f"OIDC_AUDIENCE={job['oidc-token-audience']}|" in run["set-env-vars"]
    assert run["set-env-vars"].endswith(f"OIDC_SERVICE_ACCOUNT={job['oidc-service-account-email']}")


@pytest.mark.parametrize("missing", SETTINGS)
def test_without_a_project_or_an_operator_nothing_is_begun(missing: str) -> None:
    environment = {"PATH": os.environ["PATH"]} | {name: text for name, text in SETTINGS.items() if name != missing}
    done = subprocess.run(
        ["bash", ROOT / "deploy.sh", "--dry-run"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert missing in done.stderr


GCLOUD = """#!/bin/sh
echo "$@" >> "$CALLED"
case "$*" in
  "sql users list"*) echo $USERS ;;
  "secrets describe ${LACKS:-database-url-paper} "*) exit 1 ;;
  "projects describe"*) echo 12345 ;;
  *--data-file=-*) cat > "$CALLED.data" ;;
esac
"""


@pytest.mark.parametrize(("users", "verb"), [("postgres", "create"), ("munshi-paper", "set-password")])
def test_a_run_that_ended_between_the_databases_user_and_its_password_can_be_made_again(
    tmp_path: Path, users: str, verb: str
) -> None:
    lines = deploy(tmp_path, USERS=users)
    [made] = [place for place, line in enumerate(lines) if re.match("sql users (create|set-password)", line)]
    assert lines[made].startswith(f"sql users {verb} munshi-paper --instance=munshi --password=")
    assert lines[made + 2].startswith("secrets create database-url-paper")


def test_the_secret_that_new_tokens_go_into_is_made_once_and_without_a_version(tmp_path: Path) -> None:
    lacking = [line for line in deploy(tmp_path, LACKS=TOKEN_SECRET) if line.startswith("secrets create")]
    assert lacking == [f"secrets create {TOKEN_SECRET} --replication-policy=automatic --project=my-desk --quiet"]
    assert not [line for line in deploy(tmp_path, LACKS="nothing") if line.startswith("secrets create")]


def deploy(folder: Path, **answers: str) -> list[str]:
    """What a run of the script asks of gcloud."""
    gcloud, called = folder / "gcloud", folder / "called"
    gcloud.write_text(GCLOUD)
    gcloud.chmod(0o755)
    called.unlink(missing_ok=True)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "CALLED": str(called)} | SETTINGS | answers
    subprocess.run(["bash", ROOT / "deploy.sh"], env=environment, capture_output=True, check=True)
    return called.read_text().splitlines()


def test_a_name_that_compose_or_the_script_takes_is_no_slip_in_the_file() -> None:
    taken = {
        name
        for file in ("compose.yaml", "deploy.sh")
        for name in re.findall(r"\$\{([A-Z_]+):", (ROOT / file).read_text())
    }
    assert {"SITE_ADDRESS", "GCP_REGION"} <= taken
    assert unheeded(taken, [name.upper() for name in Settings.model_fields]) == {}


@needs("shellcheck")
def test_the_shell_scripts_are_clean() -> None:
    subprocess.run(["shellcheck", "deploy.sh", "run", "test", "munshi", "deploy/munshi"], cwd=ROOT, check=True)


@needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_its_units(unit: Path, tmp_path: Path) -> None:
    for each in UNITS:  # /opt/munshi is not here: a program that is stands in for it
        text = each.read_text().replace("/opt/munshi/.venv/bin/python", sys.executable)
        (tmp_path / each.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / unit.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "munshi" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_a_unit_that_runs_something_may_write_to_its_own_data_only() -> None:
    for unit in UNITS:
        if "ExecStart" in unit.read_text():
            for rule in ("User=munshi", "ProtectSystem=strict", "NoNewPrivileges=yes", "UMask=0077"):
                assert rule in unit.read_text(), unit.name


def test_the_servers_command_acts_as_the_units_do_on_the_same_data(tmp_path: Path) -> None:
    recorder = tmp_path / "systemd-run"
    recorder.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    recorder.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [ROOT / "deploy" / "munshi", "kill", "two words"]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    asked = said.splitlines()
    assert asked[asked.index("/opt/munshi/.venv/bin/python") :][1:] == ["-m", "core", "kill", "two words"]
    unit = (ROOT / "deploy" / "systemd" / "munshi-desk.service").read_text().splitlines()
    for name, words in {
        "User": "--uid={}",
        "WorkingDirectory": "--working-directory={}",
        "Environment": "--setenv={}",
        "EnvironmentFile": "EnvironmentFile={}",
        "StateDirectory": "StateDirectory={}",
        "StateDirectoryMode": "StateDirectoryMode={}",
        "UMask": "UMask={}",
    }.items():
        [value] = [line.partition("=")[2] for line in unit if line.startswith(f"{name}=")]
        assert words.format(value) in asked, name


def test_under_systemd_the_stand_ins_run_in_paper_mode_and_end_in_peace_in_live_mode(tmp_path: Path) -> None:
    target = (ROOT / "deploy" / "systemd" / "munshi.target").read_text()
    unit = (ROOT / "deploy" / "systemd" / "munshi-sandbox.service").read_text()
    assert "munshi-sandbox.service" in target
    live = {"MUNSHI_MODE": "live", "DHAN_CLIENT_ID": "1", "TELEGRAM_BOT_TOKEN": "1:x", "TELEGRAM_OPERATORS": "1"}
    program = re.search(r"^ExecStart=\S+ (.*)$", unit, re.MULTILINE)
    assert program
    command = [sys.executable, *program[1].split()]
    environment = os.environ | live | {"MUNSHI_DATA_DIR": str(tmp_path / "live")}
    code = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).returncode
    assert f"\nSuccessExitStatus={code}\n" in unit
    assert f"\nRestartPreventExitStatus={code} 78\n" in unit


def test_in_compose_each_mode_has_its_data_and_all_its_processes() -> None:
    munshi = service("munshi")
    assert "MUNSHI_DATA_DIR: /data/${MUNSHI_MODE:-paper}\n" in munshi
    assert "command:" not in munshi, "the image's own command starts everything, the stand-ins of paper mode included"


def service(name: str) -> str:
    """What compose.yaml says about one service."""
    found = re.search(rf"^  {name}:\n((?:    .*\n|  #.*\n)+)", (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    assert found, name
    return found[1]


@needs("caddy")
def test_in_compose_the_chat_page_of_paper_mode_is_reached_from_this_machine_alone(
    tmp_path: Path, find_port: Callable[[], int]
) -> None:
    assert re.findall(r"ports: (.*)", service("munshi")) == ['["127.0.0.1:${SANDBOX_PORT:-8081}:8000"]']
    assert "network_mode: service:munshi\n" in service("chat")
    assert "profiles: [chat]\n" in service("chat")
    asked = re.search(r"command: (.*)", service("chat"))
    assert asked
    published, listens = find_port(), find_port()
    command = asked[1].replace(":8000", f":{published}").replace("${SANDBOX_PORT:-8081}", str(listens)).split()
    environment = os.environ | {"MUNSHI_DATA_DIR": str(tmp_path / "data"), "SANDBOX_PORT": str(listens)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    sandbox = [sys.executable, "-m", "core.sandbox"]
    with subprocess.Popen(sandbox, cwd=ROOT, env=environment, **quiet) as stand_ins:  # type: ignore[call-overload]
        try:
            with subprocess.Popen(command, env=os.environ | {"HOME": str(tmp_path)}, **quiet) as caddy:  # type: ignore[call-overload]
                try:
                    with httpx.Client(base_url=f"http://127.0.0.1:{published}", trust_env=False) as client:
                        until(lambda: (page := ask(client, "/")) and page.status_code == 200, "the chat page")
                        assert client.get("/", headers={"Host": "desk.example.com"}).status_code == 400
                finally:
                    caddy.terminate()
        finally:
            stand_ins.terminate()


@needs("caddy")
def test_caddy_answers_503_at_once_while_web_is_away_and_forwards_when_it_is_back(
    tmp_path: Path, find_port: Callable[[], int]
) -> None:
    site, web = f"http://127.0.0.1:{find_port()}", find_port()
    environment = os.environ | {"SITE_ADDRESS": site, "WEB": f"127.0.0.1:{web}", "HOME": str(tmp_path)}
    command = ["caddy", "run", "--config", str(ROOT / "deploy" / "Caddyfile"), "--adapter", "caddyfile"]
    server = [sys.executable, "-m", "http.server", str(web), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    (tmp_path / "health").write_text("ok")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **quiet) as caddy:  # type: ignore[call-overload]
        try:
            with httpx.Client(base_url=site, trust_env=False, verify=False) as client:
                away = until(lambda: ask(client, "/webhook"), "caddy answers")
                assert away
                assert away.status_code == 503
                assert away.json()["message"] == "Munshi is restarting: send it again."
                assert away.headers["Retry-After"] == "1"
                with subprocess.Popen(server, **quiet) as back:  # type: ignore[call-overload]
                    try:
                        until(lambda: (a := ask(client, "/health")) and a.status_code == 200, "web is back")
                    finally:
                        back.terminate()
                assert client.get("/health").status_code == 503
        finally:
            caddy.terminate()


def ask(client: httpx.Client, path: str) -> httpx.Response | None:
    try:
        return client.get(path)
    except httpx.TransportError:
        return None


def test_what_the_image_holds_is_enough_to_start_from(tmp_path: Path) -> None:
    """The image's own COPY steps into an empty root; every process finds its modules there, and migrates."""
    recipe = (ROOT / "Dockerfile").read_text()
    image, data = tmp_path / "munshi", tmp_path / "data"
    allowed = (ROOT / ".dockerignore").read_text().split()
    for source, target in re.findall(r"^COPY (\w+) (\w+)$", recipe, re.MULTILINE):
        assert f"!{source}" in allowed
        shutil.copytree(ROOT / source, image / target, ignore=shutil.ignore_patterns("__pycache__"))
    data.mkdir(mode=0o700)
    environment = os.environ | {"MUNSHI_DATA_DIR": str(data), "PYTHONDONTWRITEBYTECODE": "1"}
    imports = "import bot.__main__, webhook.__main__, core.sandbox.__main__, core.cli.up"
    for command in (["-c", imports], ["-m", "core", "migrate"]):
        subprocess.run([sys.executable, *command], cwd=image, env=environment, check=True, capture_output=True)
    assert (data / "munshi.db").exists()
    assert not list(image.rglob("__pycache__"))


def test_a_file_of_the_host_reaches_a_command_in_the_container_by_its_standard_input(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    told = re.search(r"`docker compose exec -T munshi (sh -c '[^`']+') <alert.json`", guide)
    assert told
    assert 'tmpfs: ["/tmp"]' in service("munshi"), "the only place but /data that may be written to"
    command = shlex.split(told[1].replace("/tmp/", f"{tmp_path}/").replace("whatif", "check"))
    python = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": python, "MUNSHI_DATA_DIR": str(tmp_path / "data")}
    alert = an_alert_text()
    done = subprocess.run(command, cwd=ROOT, env=environment, input=alert, capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "alert.json").read_text()) == (0, alert), done.stderr
    assert "RELIANCE" in done.stdout


def test_the_image_does_not_run_as_root_and_says_how_it_is() -> None:
    recipe = (ROOT / "Dockerfile").read_text()
    assert "USER 10001:10001" in recipe
    assert "HEALTHCHECK" in recipe
    assert recipe.rstrip().endswith('CMD ["python", "-m", "core", "up"]')
    check = re.search(r'CMD \["python", "-c", "(.*)"\]', recipe)
    assert check
    compile(check[1].replace('\\"', '"'), "healthcheck", "exec")

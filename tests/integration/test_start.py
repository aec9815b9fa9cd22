"""`start.py` in a repository of its own, with a lock that names nothing and a product that says hello."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNREACHABLE = "http://127.0.0.1:9/simple"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "start.py", tmp_path)
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "requirements-dev.lock").write_text("# all of the other, and more\n")
    for package, word in (("core", "up"), ("pytest", "tested")):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__main__.py").write_text(f"import sys; print('{word}', *sys.argv[1:])")
    return tmp_path


def start(repository: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "start.py"), *arguments]
    surroundings = os.environ | {"PIP_INDEX_URL": UNREACHABLE, "PIP_FIND_LINKS": ""} | environment
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=120, check=False)


def test_packages_are_installed_once_and_again_when_the_lock_changes(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    munshi = [shutil.copy(ROOT / "munshi", repository), "secret", "two words"]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    early = subprocess.run(munshi, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert (early.returncode, early.stderr) == (1, "Munshi has no environment yet: start ./run once.\n")

    first = start(repository, "run")
    assert first.stdout.splitlines()[-1] == "up up"
    assert "Installing" in first.stdout
    assert start(repository, "run").stdout == "up up\n"
    done = subprocess.run(munshi, cwd=elsewhere, capture_output=True, text=True, check=True)
    assert done.stdout == "up secret two words\n", "the desk's commands run in its environment, from any folder"

    (repository / "requirements.lock").write_text("# another\n")
    assert "Installing" in start(repository, "run").stdout
    assert start(repository, "run").stdout == "up up\n"

    tested = start(repository, "test", MUNSHI_NO_BROWSER="1")
    assert "Installing what requirements-dev.lock names" in tested.stdout, "running needs less than the tests do"
    assert tested.stdout.splitlines()[-1] == "tested -n 5 --dist worksteal --ignore=tests/browser"
    assert start(repository, "run").stdout == "up up\n", "what the tests need will do for running"


def test_an_installation_that_failed_is_never_believed(repository: Path) -> None:
    venv = repository / ".venv"
    venv.mkdir()
    (venv / "munshi-lock").write_text("unfinished")
    (venv / "half-written").touch()
    assert start(repository, "run").stdout.splitlines()[-1] == "up up"
    assert not (venv / "half-written").exists()

    (repository / "requirements.lock").write_text(f"nothing-of-ours==1.0 --hash=sha256:{'0' * 64}\n")
    offline = start(repository, "run")
    assert offline.returncode == 1
    assert offline.stderr == (
        "The packages could not be fetched: no way to the package index. Only this first start needs the network.\n"
    )
    assert (venv / "munshi-lock").read_text() == "unfinished"


def test_without_chromium_the_tests_stop_and_name_both_ways_on(repository: Path) -> None:
    done = start(repository, "test", PATH=str(repository), MUNSHI_NO_BROWSER="")
    assert done.returncode == 1
    assert "sudo apt-get install chromium" in done.stderr
    assert "MUNSHI_NO_BROWSER=1 ./test" in done.stderr


def test_an_unknown_word_is_answered_with_the_known_ones(repository: Path) -> None:
    done = start(repository, "walk")
    assert done.returncode == 1
    assert "`start.py run`" in done.stderr

"""`munshi up`: the whole desk in paper mode, as a newcomer starts it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from core.cli.banner import FIRST_ALERT
from core.cli.claims import check_port
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


async def test_one_command_starts_a_desk_that_takes_an_alert_and_one_signal_stops_it(
    tmp_path: Path, find_port: Callable[[], int]
) -> None:
    ports = {"PORT": find_port(), "SANDBOX_PORT": find_port()}
    web = f"http://127.0.0.1:{ports['PORT']}"
    desk = await started(tmp_path, ports, asyncio.subprocess.PIPE)
    assert desk.stdout
    try:
        lines = await lines_until("Ctrl-C stops everything.", desk.stdout)
        secret = await secret_of(tmp_path)
        assert not [line for line in lines if secret in line]
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            answer = (await http.post(f"{web}/webhook", json={"secret": secret, **FIRST_ALERT})).json()
        assert answer["status"] == "success", answer
        await trace_shows(f"{web}/trace/{answer['alert_id']}", "BUY 1 RELIANCE")
    finally:
        desk.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(desk.wait(), timeout=PATIENCE)
    assert code == 0
    for name, port in ports.items():
        check_port(name, "127.0.0.1", port)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no terminals of this kind")
async def test_on_a_terminal_the_start_offers_an_alert_to_paste(tmp_path: Path, find_port: Callable[[], int]) -> None:
    ports = {"PORT": find_port(), "SANDBOX_PORT": find_port()}
    screen, terminal = os.openpty()
    desk = await started(tmp_path, ports, terminal)
    os.close(terminal)
    shown = asyncio.StreamReader()
    reader = partial(asyncio.StreamReaderProtocol, shown)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(reader, os.fdopen(screen, "rb"))
    try:
        lines = await lines_until("Ctrl-C stops everything.", shown)
        [curl] = [line for line in lines if line.startswith("curl ")]
        answer = json.loads(await output_of(curl))
        assert answer["status"] == "success", answer
    finally:
        desk.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(desk.wait(), timeout=PATIENCE)
        transport.close()
    assert code == 0


async def started(folder: Path, ports: dict[str, int], output: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "core", "up"),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | {name: str(port) for name, port in ports.items()},
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
    )


async def lines_until(last: str, output: asyncio.StreamReader) -> list[str]:
    """What the start says, once it is up."""
    lines: list[str] = []
    async with asyncio.timeout(PATIENCE):
        async for line in output:
            lines.append(line.decode().strip())
            if lines[-1] == last:
                return lines
    raise AssertionError("\n".join(["it ended before it was up:", *lines]))


async def secret_of(folder: Path) -> str:
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "core", "secret"),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(command.communicate(), timeout=PATIENCE)
    return output.decode().strip()


async def trace_shows(page: str, words: str) -> None:
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient(trust_env=False, verify=False) as http:
        while words not in (await http.get(page)).text:  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.02)


async def output_of(command: str) -> bytes:
    shell = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(shell.communicate(), timeout=PATIENCE)
    return output

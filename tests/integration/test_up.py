"""`munshi up`: the whole desk in paper mode, as a newcomer starts it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from core.cli.claims import check_port
from tests import overheard
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


async def test_one_command_starts_a_desk_that_takes_the_pasted_alert_and_one_signal_stops_it(
    tmp_path: Path, find_port: Callable[[], int]
) -> None:
    ports = {"PORT": find_port(), "SANDBOX_PORT": find_port()}
    desk = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "core", "up"),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | {name: str(port) for name, port in ports.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        curl = await pasted(desk)
        answer = json.loads(await output_of(curl))
        assert answer["status"] == "success", answer
        await trace_shows(f"http://127.0.0.1:{ports['PORT']}/trace/{answer['alert_id']}", "BUY 1 RELIANCE")
    finally:
        desk.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(desk.wait(), timeout=PATIENCE)
    assert code == 0
    for name, port in ports.items():
        check_port(name, "127.0.0.1", port)


async def pasted(desk: asyncio.subprocess.Process) -> str:
    """The command that the start offers, once it is up."""
    assert desk.stdout
    lines: list[str] = []
    async with asyncio.timeout(PATIENCE):
        async for line in desk.stdout:
            lines.append(line.decode().strip())
            if lines[-1].startswith("curl "):
                overheard.note("child processes", *lines[:-1])
                return lines[-1]
    raise AssertionError("\n".join(["it ended before it was up:", *lines]))


async def trace_shows(page: str, words: str) -> None:
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient(trust_env=False, verify=False) as http:
        while words not in (await http.get(page)).text:  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.02)


async def output_of(command: str) -> bytes:
    shell = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(shell.communicate(), timeout=PATIENCE)
    return output

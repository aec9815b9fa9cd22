"""The `munshi` command, also `python -m core`.

One row of COMMANDS per subcommand. Each is a module here of the same name, imported only when called, whose
`run(**arguments)` returns the exit code. What goes wrong on purpose ends as one line, without a traceback.
"""

import argparse
import os
import sys
from importlib import import_module
from typing import NamedTuple

from core.errors import EX_CONFIG, BadSettings, DeskError

FAILED = 1
INTERRUPTED = 130


class Command(NamedTuple):
    does: str
    takes: tuple[str, ...] = ()


COMMANDS = {
    "up": Command("start everything: web, desk and, in paper mode, the stand-ins for Dhan and Telegram"),
    "migrate": Command("bring the database to this version's schema"),
    "doctor": Command("look over everything and say what is wrong; changes nothing, exit code 1 if something is"),
    "check": Command("explain the alert in FILE, or its mistakes; exit code 1 if there are some", takes=("file",)),
    "whatif": Command("print what would become of the alert in FILE, now or at a time", takes=("file", "--at")),
    "export": Command(
        "write orders, fills and notifications of a day or some days as CSV files",
        takes=("--since", "--until", "--into"),
    ),
    "verify": Command("check that the exported FILE is as it was written", takes=("file",)),
    "pause": Command("send nothing until resumed; works with Telegram and web down"),
    "resume": Command("send again after a pause"),
    "kill": Command("stop all sending, exits included; works with Telegram and web down"),
    "unkill": Command("let orders out again after a kill"),
    "totp": Command("enrol an authenticator, whose codes dangerous commands in the chat then need"),
    "token": Command("hand in a token from web.dhan.co; it is asked for, and not shown"),
    "backup": Command("copy the database to FILE, also while everything runs", takes=("[file]",)),
    "restore": Command("put a backup back; what waited in it is looked up at Dhan first", takes=("[file]",)),
    "secret": Command("print the webhook secret that every alert must carry"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; returns the process's exit code."""
    parser = _parser()
    known, others = parser.parse_known_args(arguments)
    chosen = vars(known)
    name = chosen.pop("command")
    if others:  # not repeated: one of them may be a token
        parser.error(f"{name} takes no such argument; see munshi {name} --help")
    try:
        code: int = import_module(f"core.cli.{name}").run(**chosen)
        sys.stdout.flush()
    except BadSettings as error:
        print("Munshi refuses to start with these settings:", *error.faults, sep="\n  ", file=sys.stderr)
        return EX_CONFIG
    except DeskError as error:
        print(f"munshi {name}: {error}", file=sys.stderr)
        return FAILED
    except PermissionError as error:
        print(f"munshi {name}: no permission to use {error.filename}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # as in `munshi doctor | head -3`: nobody reads on, and what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="munshi", description="A Telegram-first order desk for TradingView and Dhan.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.does, description=f"{name}: {command.does}")
        for argument in command.takes:
            if argument.startswith("["):
                subparser.add_argument(argument.strip("[]"), nargs="?")
            else:
                subparser.add_argument(argument)
    return parser

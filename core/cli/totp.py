"""`munshi totp`: enrol an authenticator. Its secret is shown once, here, and kept sealed."""

import getpass
import sys

from core import journal, second_factor
from core.bootstrap import open_database
from core.clock import SystemClock
from core.errors import Refusal
from core.seal import Seal
from core.second_factor import SecondFactor
from core.settings import load


def run() -> int:
    settings = load()
    secret = second_factor.make_secret()
    print("Put this into your authenticator, by hand or as a picture; it is not shown again:")
    print(f"  {secret}\n  {second_factor.address(secret, settings.client_id)}")
    code = _read("Then type the code that it shows: ")
    at = SystemClock().now()
    if not second_factor.fits(secret, code, at):
        raise Refusal("that is not its code, so nothing was enrolled: check this machine's clock, and start again")
    database = open_database(settings)
    with database.transaction() as connection:
        factor = SecondFactor(Seal(settings.token_keys))
        factor.enrol(connection, secret, at=at, actor=journal.COMMAND_LINE)
    database.close()
    print("Enrolled: /golive, /unkill and looser limits now ask for a code in the chat.")
    return 0


def _read(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline()

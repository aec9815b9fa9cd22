"""`munshi check FILE`: explain an alert, or the first mistakes in it. Nothing is sent or stored."""

import sys
from pathlib import Path

from core.alerts.lint import explain


def run(file: str) -> int:
    try:
        body = Path(file).read_bytes()
    except OSError as error:
        print(f"munshi check: {file} cannot be read: {error.strerror}", file=sys.stderr)
        return 1
    print(*explain(body), sep="\n")
    return 0

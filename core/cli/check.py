"""`munshi check FILE`: explain an alert, or the first mistakes in it. Nothing is sent or stored.

The exit code is 0 for an alert that the webhook would take, and 1 for one with mistakes.
"""

import sys
from pathlib import Path

from core.alerts.lint import explain, has_mistakes


def run(file: str) -> int:
    try:
        body = Path(file).read_bytes()
    except OSError as error:
        print(f"munshi check: {file} cannot be read: {error.strerror}", file=sys.stderr)
        return 1
    print(*explain(body), sep="\n")
    return 1 if has_mistakes(body) else 0

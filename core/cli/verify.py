"""`munshi verify FILE`: whether an exported file is as it was written; names the first broken row when it is not."""

import sys
from pathlib import Path

from core import chained_csv


def run(file: str) -> int:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        print(f"munshi verify: {file} cannot be read: {why}", file=sys.stderr)
        return 1
    rows, last = chained_csv.verify(text)
    print(f"{file} is whole: {rows} rows, last hash {last}. Compare that with what was printed when it was made:")
    print("only there rows that are missing at the end would show.")
    return 0

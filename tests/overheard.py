"""What a test takes for itself before pytest could keep it: errors that it expects, output that it reads, what its
child processes say into its pipes. It is added to the test's report, where the search for secrets finds it.
"""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

_heard: dict[tuple[str, str], None] = {}


def note(what: str, *texts: str | bytes | None) -> None:
    """Add this to the report of the test that runs; what a process said into a file that is gone, for one."""
    for text in filter(None, texts):
        _heard[what, text if isinstance(text, str) else text.decode(errors="replace")] = None


def taken() -> list[tuple[str, str]]:
    """All that was noted since it was last asked for, each once."""
    notes = list(_heard)
    _heard.clear()
    return notes


def listen() -> None:
    """From now on, in this process."""
    catch, read, communicate = pytest.RaisesExc.__exit__, pytest.CaptureFixture.readouterr, subprocess.Popen.communicate

    def heard_catch(self: Any, kind: Any, error: BaseException | None, trace: Any) -> bool:
        note("expected errors", *words_of(error))
        return catch(self, kind, error, trace)

    def heard_read(self: Any) -> Any:
        captured = read(self)
        note("output that it read", captured.out, captured.err)
        return captured

    def heard_communicate(self: Any, *arguments: Any, **named: Any) -> Any:
        said = communicate(self, *arguments, **named)
        note("child processes", *said)
        return said

    pytest.RaisesExc.__exit__ = heard_catch
    pytest.CaptureFixture.readouterr = heard_read
    subprocess.Popen.communicate = heard_communicate


def words_of(error: BaseException | None) -> Iterator[str]:
    """Those of an error and of all that a traceback of it would show."""
    while error is not None:
        yield f"{error!r} {error}"
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from words_of(member)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)

"""What the first start makes, so that nobody has to: a data directory and secrets that are their owner's alone."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from core.errors import BadSettings
from core.seal import make_key

if TYPE_CHECKING:
    from core.settings import Settings

_GENERATED = {
    "webhook_secret": lambda: secrets.token_urlsafe(24),
    "admin_token": lambda: secrets.token_urlsafe(32),
    "postback_key": lambda: secrets.token_urlsafe(24),
    "token_keys": make_key,
}


def generated_secrets(settings: "Settings") -> dict[str, SecretStr]:
    """What the settings lack: read from the data directory, or made there with mode 0600. Raises BadSettings."""
    folder = settings.munshi_data_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {
        name: SecretStr(_read_or_create(folder / name, generate()))
        for name, generate in _GENERATED.items()
        if not getattr(settings, name).get_secret_value()
    }


def open_to_others(settings: "Settings") -> list[str]:
    """One sentence per file or folder that other users of this machine may read, with the cure."""
    if os.name == "nt":  # rights are another matter there
        return []
    folder = settings.munshi_data_dir
    files = [folder / name for name in (*_GENERATED, "munshi.db")]
    looked_at = [("MUNSHI_DATA_DIR", folder, "700"), *(("MUNSHI_DATA_DIR", file, "600") for file in files)]
    if not settings.paper:
        looked_at.append((".env", Path(".env"), "600"))
    return [
        f"{name}: other users of this machine may read {path}; run: chmod {mode} '{path}'"
        for name, path, mode in looked_at
        if path.exists() and path.stat().st_mode & 0o077
    ]


def _read_or_create(file: Path, fresh: str) -> str:
    """The file's text, or `fresh` written to it with mode 0600; two processes that start together agree."""
    if not file.exists():
        _create(file, fresh)
    secret = file.read_text().strip()
    if not secret:
        raise BadSettings([f"{file.name.upper()}: {file} is empty; delete it and a new one is made"])
    return secret


def _create(file: Path, text: str) -> None:
    """All of it or nothing, power cuts included; whoever comes second leaves what the first one wrote."""
    handle, scratch = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w") as target:
            target.write(text)
            target.flush()
            os.fsync(handle)
        with contextlib.suppress(FileExistsError):
            os.link(scratch, file)
    finally:
        Path(scratch).unlink()

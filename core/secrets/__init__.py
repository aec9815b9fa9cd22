"""Where secrets come from beside the environment and `.env`: mounted files, and Google Secret Manager."""

from collections.abc import Mapping
from pathlib import Path

from core.errors import BadSettings

NAMED_BY_USERS = (
    "dhan_client_id",
    "dhan_api_key",
    "dhan_api_secret",
    "dhan_pin",
    "dhan_totp_secret",
    "dhan_access_token",
)
"""`dhan-user-id` and `dhan-password` are often kept beside these. Nothing asks for them: Dhan's API has no call that
takes a password, and its login page takes it from a person only."""
OUR_OWN = ("telegram_bot_token", "webhook_secret", "admin_token", "postback_key", "token_keys", "database_url")


def published_name(setting: str) -> str:
    """How a setting is called where names have dashes: `dhan-client-id`."""
    return setting.replace("_", "-")


def from_files(folder: Path) -> Mapping[str, str]:
    """The mounted files of the folder that are named with dashes, by setting. Raises BadSettings."""
    found: dict[str, str] = {}
    for setting in (*NAMED_BY_USERS, *OUR_OWN):
        file = folder / published_name(setting)
        try:
            if file.is_file():
                found[setting] = file.read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise BadSettings([f"{setting.upper()}: {file} cannot be read as text"]) from None
    return {setting: text for setting, text in found.items() if text}

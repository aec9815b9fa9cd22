"""The broker token at rest: unreadable without the key, and of one account only."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import Connection, update

from core.db import tokens
from core.db.engine import Database
from core.db.tables import broker_tokens
from core.db.tokens import StoredToken, TokenVault
from core.domain.login import Way
from tests.builders import NOON

TOKEN = "eyJhbGciOiJIUzUxMiJ9.canary:with-a-colon.signature"
ENDS = NOON + timedelta(hours=24)


def new_key() -> str:
    return Fernet.generate_key().decode()


def vault(*keys: str) -> TokenVault:
    return TokenVault(SecretStr(",".join(keys)))


def keep(connection: Connection, store: TokenVault, value: str = TOKEN, client_id: str = "1100000001") -> None:
    store.store(connection, value, client_id=client_id, source=Way.TOTP, issued_at=NOON, expires_at=ENDS)


def loaded(connection: Connection, store: TokenVault, client_id: str = "1100000001") -> str | None:
    found = store.load(connection, client_id)
    return found and found.value


def test_a_token_comes_back_as_it_was_kept(connection: Connection) -> None:
    store = vault(new_key())
    keep(connection, store)
    assert store.load(connection, "1100000001") == StoredToken(
        value=TOKEN, source=Way.TOTP, issued_at=NOON, expires_at=ENDS
    )
    assert tokens.expiry(connection) == ENDS


@pytest.mark.sqlite("its file")
def test_the_token_stands_nowhere_in_the_files(database: Database, tmp_path: Path) -> None:
    store = vault(new_key())
    with database.transaction() as connection:
        keep(connection, store)
    files = [file for file in tmp_path.iterdir() if file.name.startswith("munshi.db")]
    assert files
    contents = b"".join(file.read_bytes() for file in files)
    assert b"1100000001" in contents  # the account is there in plain text: the search would have found the token
    assert not [part for part in (TOKEN, "canary", TOKEN.split(".", maxsplit=1)[0]) if part.encode() in contents]


def test_the_token_is_not_shown_with_its_row() -> None:
    assert TOKEN not in repr(StoredToken(value=TOKEN, source=Way.TOTP, issued_at=NOON, expires_at=ENDS))


def test_a_new_key_is_put_in_front_of_the_old_one_without_a_new_sign_in(connection: Connection) -> None:
    old, new = new_key(), new_key()
    keep(connection, vault(old))
    both = vault(new, old)
    assert loaded(connection, both) == TOKEN
    keep(connection, both, "next")
    assert loaded(connection, vault(new)) == "next"
    assert loaded(connection, vault(old)) is None


def test_the_wrong_key_opens_nothing(connection: Connection) -> None:
    keep(connection, vault(new_key()))
    assert loaded(connection, vault(new_key())) is None


@pytest.mark.parametrize("spoilt", ["{:.100}AAAAAAAAAA", "{:.20}", "", "not base64 at all!"])
def test_a_spoilt_row_opens_to_nothing(connection: Connection, spoilt: str) -> None:
    store = vault(new_key())
    keep(connection, store)
    sealed = connection.execute(broker_tokens.select()).one().ciphertext
    connection.execute(update(broker_tokens).values(ciphertext=spoilt.format(sealed)))
    assert loaded(connection, store) is None


def test_a_token_of_another_account_is_not_ours(connection: Connection) -> None:
    store = vault(new_key())
    keep(connection, store, client_id="2200000002")
    assert loaded(connection, store) is None
    connection.execute(update(broker_tokens).values(client_id="1100000001"))
    assert loaded(connection, store) is None  # the account is sealed with the token: relabelling the row does not help


def test_only_the_newest_token_lives(connection: Connection) -> None:
    store = vault(new_key())
    keep(connection, store, "first")
    keep(connection, store, "second")
    assert loaded(connection, store) == "second"
    tokens.bury(connection, "1100000001", NOON)
    assert loaded(connection, store) is None
    assert tokens.expiry(connection) is None

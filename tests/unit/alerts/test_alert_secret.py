import json

import pytest
from alert_samples import SHARE, body, message

from core.alerts.fields import shown
from core.alerts.parse import (
    hide,
    parse_alert,
    read_alert_text,
    secret_in,
    secret_in_broken_text,
    without_secret,
)

SECRET = "hunter2-hunter2-hunter2"


def test_the_secret_is_text_or_none_at_all() -> None:
    assert secret_in({"secret": SECRET}) == SECRET
    assert secret_in({}) == ""
    assert secret_in({"secret": 12345}) == ""
    assert secret_in({"secret": None}) == ""
    assert secret_in({"secret": {"secret": SECRET}}) == ""


BROKEN = {
    "a comma too many": '{"secret": "%s", "a": 1,}',
    "cut short": '{"secret":"%s","order_le',
    "cut inside the secret": '{"a": 1, "secret":"%s',
    "curly quotes": "{\u201csecret\u201d: \u201c%s\u201d, \u201ca\u201d: 1}",
    "a curly value": '{"secret": \u201c%s\u201d, "a": 1}',
    "single quotes": "{'secret': '%s', 'a': 1}",
    "no quotes": "{secret: %s, a: 1}",
    "an unquoted value": '{"secret": %s, "a": 1}',
    "an unquoted value at the end": '{"a": 1, "secret": %s}',
    "no colon": '{"secret" "%s"}',
    "an equals sign": "secret = %s",
    "upper case": '{"SECRET": "%s",}',
    "line breaks": '{\n"secret"\n:\n"%s"\n',
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_secret_in_broken_text_is_found_and_never_stored(broken: str) -> None:
    text = (broken % SECRET).encode()

    assert secret_in_broken_text(text) == SECRET
    assert "hunter2" not in without_secret(text)
    assert "***" in without_secret(text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_secret_in_another_encoding_is_never_stored(encoding: str) -> None:
    text = body(SHARE, secret=SECRET).decode().encode(encoding)

    assert "hunter2" not in without_secret(text)
    assert "RELIANCE" in without_secret(text)


def test_text_without_a_secret_has_none() -> None:
    assert secret_in_broken_text(b"BUY RELIANCE") == ""
    assert secret_in_broken_text(b"") == ""
    assert without_secret(b"BUY RELIANCE") == "BUY RELIANCE"


WELL_FORMED = {
    "spaces and a quote inside": json.dumps(message(SHARE, secret=f'"{SECRET}" {SECRET}'), indent=2),
    "a number": '{"secret": 222222, "a": "1"}',
    "inside a leg": json.dumps(message(SHARE | {"secret": SECRET})),
    "a key spelt with escapes": '{"secre\\u0074": "SECRET", "price": 1.50}'.replace("SECRET", SECRET),
    "none, and texts that look like one": '{"note": "secret:", "b": "my secret: plan", "c": "\\"secret\\":\\"x\\""}',
    "a byte order mark": "\ufeff" + json.dumps(message(SHARE, secret=SECRET)),
    "letters that are not seen": '{"secret": "SECRET", "note": "a\u200b\u202e\x7f\u0085b"}'.replace("SECRET", SECRET),
}


@pytest.mark.parametrize("text", WELL_FORMED.values(), ids=WELL_FORMED.keys())
def test_a_well_formed_alert_without_its_secret_still_means_the_same(text: str) -> None:
    stored = without_secret(text.encode())

    before, after = read_alert_text(text.encode()), read_alert_text(stored.encode())
    assert SECRET not in stored
    assert "222222" not in stored
    assert {key: str(value) for key, value in after.items() if key not in ("secret", "order_legs")} == {
        key: str(value) for key, value in before.items() if key not in ("secret", "order_legs")
    }
    if "order_legs" in before:
        assert parse_alert(after).legs == parse_alert(before).legs


def test_what_is_stored_shows_every_byte_and_is_capped() -> None:
    assert without_secret(b"a\xff\x01\xe2\x80\xaeb") == "a\\xff\\u0001\\u202eb"
    assert len(without_secret(b"x" * 1_000_000)) == 16_384


def test_a_secret_across_the_cap_is_never_stored() -> None:
    assert "hunter2" not in without_secret(b'{"a":"' + b"x" * 16_355 + b'","secret":"' + SECRET.encode() + b'"}')


@pytest.mark.parametrize("secret", ["sixteen-letters!", "x" * 60])
def test_a_secret_is_hidden_in_a_sentence_that_shows_only_its_beginning(secret: str) -> None:
    sentence = f"The alert: symbol is {shown(secret)}; it must be a symbol. Not {secret}."
    assert "xxx" not in (hidden := hide(secret, sentence))
    assert secret not in hidden

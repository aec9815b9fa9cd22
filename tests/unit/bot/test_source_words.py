"""`/sources` as it is typed, and how a source reads."""

from dataclasses import replace
from decimal import Decimal

import pytest
from telegram import InlineKeyboardMarkup

from bot import keyboards, source_words
from bot.callback_data import unpack
from bot.source_words import SourceFacts
from core.db.sources import Key
from core.domain.approval import ApprovalPolicy
from core.domain.instrument import Market
from core.domain.limits import Bound, Limit, Limits
from core.domain.silence import Bar, Watch
from core.domain.source import IdenticalAlerts, Source
from core.domain.trust import Trust
from core.errors import Refusal
from tests.builders import NOON

SWING = Source(id=2, name="swing", version=7, trust=Trust.EACH)
BOUND = Limits(bounds={Limit.ORDER_VALUE: Bound(soft=Decimal(50_000))})


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ("rename Trend", {"name": "Trend"}),
        ("trust paper", {"trust": Trust.PAPER}),
        ("trust FIRST", {"trust": Trust.FIRST}),
        ("trust automatic 25,000", {"trust": Trust.AUTOMATIC, "automatic_below": Decimal(25_000)}),
        ("trust off", {"trust": None}),
        ("approval always", {"approval": ApprovalPolicy.ALWAYS}),
        ("approval desk", {}),
        ("identical fold", {"identical_alerts": IdenticalAlerts.FOLD}),
        ("limits order_value soft 50000", {"limits": BOUND}),
    ],
)
def test_one_thing_is_changed_as_it_is_typed(words: str, changed: dict[str, object]) -> None:
    assert source_words.change(SWING, words.split()) == replace(SWING, **changed)


@pytest.mark.parametrize(
    "words",
    [
        *("", "rename", "rename a b", "rename <b>", "rename add", f"rename {'x' * 25}", "trust", "trust gold"),
        *("trust automatic", "trust automatic many", "approval perhaps", "identical", "identical twice"),
        *("limits", "limits order_value", "colour blue", "pause now"),
    ],
)
def test_what_cannot_be_read_says_how_to_write_it(words: str) -> None:
    with pytest.raises(Refusal) as refused:
        source_words.change(SWING, words.split())
    assert "For example:" in str(refused.value) or "write a number" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "watch"),
    [
        ("3 15m", Watch(bars=3, bar=Bar.M15)),
        ("1 1D commodity", Watch(bars=1, bar=Bar.D1, market=Market.COMMODITY)),
        ("off", None),
    ],
)
def test_silence_is_told_in_bars(words: str, watch: Watch | None) -> None:
    assert source_words.read_watch(words.split()) == watch


@pytest.mark.parametrize("words", ["", "3", "0 15m", "501 15m", "3 7m", "3 15m moon", "-1 15m", "٣ 15m x y", "9" * 40])
def test_what_is_no_silence_says_how_to_write_it(words: str) -> None:
    with pytest.raises(Refusal, match="For example"):
        source_words.read_watch(words.split())


@pytest.mark.parametrize(
    ("before", "words", "asks"),
    [
        (SWING, "trust first", True),
        (SWING, "trust off", True),
        (SWING, "trust paper", False),
        (replace(SWING, trust=Trust.AUTOMATIC, automatic_below=Decimal(5)), "trust automatic 6", True),
        (replace(SWING, trust=Trust.AUTOMATIC, automatic_below=Decimal(5)), "trust automatic 4", False),
        (replace(SWING, approval=ApprovalPolicy.ALWAYS), "approval desk", True),
        (SWING, "approval always", False),
        (SWING, "identical accept", True),
        (SWING, "identical fold", False),
        (SWING, "limits order_value soft 50000", False),
        (replace(SWING, limits=BOUND), "limits order_value soft off", True),
        (SWING, "rename trend", False),
    ],
)
def test_loosening_asks_once_more(before: Source, words: str, *, asks: bool) -> None:
    assert source_words.loosens(before, source_words.change(before, words.split())) is asks


def key(number: int, uses: int) -> Key:
    return Key(
        id=number,
        source_id=2,
        hash="0",
        made_at=NOON,
        uses=uses,
        used_at=NOON if uses else None,
        retired_at=None,
        late_uses=0,
        late_told_at=None,
    )


def test_a_source_reads_line_by_line_with_who_uses_which_key() -> None:
    facts = SourceFacts(source=SWING, keys=[key(1, 12), key(2, 0)], watched=None, is_default=False)
    assert source_words.shown(facts).splitlines() == [
        "<b>swing</b>",
        "",
        "trust: each: you approve every order",
        "approval: as the desk",
        "identical alerts: ask",
        "silence: not watched",
        "old key of Wed 25 Nov 12:00: 12 alerts, last Wed 25 Nov 12:00",
        "new key of Wed 25 Nov 12:00: not used yet",
    ]


def all_data(markup: InlineKeyboardMarkup) -> dict[str, str]:
    return {button.text: str(button.callback_data) for row in markup.inline_keyboard for button in row}


def test_every_button_stands_for_words_that_can_be_typed() -> None:
    automatic = replace(SWING, automatic_below=Decimal("99999999.95"))
    data = all_data(keyboards.source(automatic, 2, can_be_removed=True))
    assert data["Retire the old key"] == "source:2,retire:7"
    assert data["Trust: automatic 99999999.95"] == "source:2,trust,automatic,99999999.95:7"
    assert "New key" not in data
    for sent in data.values():
        tap = unpack(sent)
        assert tap
        assert len(sent) <= 64
        words = tap.nonce.split(",")[1:]
        if len(words) > 1:
            assert source_words.change(automatic, words) != automatic

"""What the browser shows around a sign-in: one short page, readable on a phone, without a script or a foreign byte."""

from dataclasses import dataclass
from enum import StrEnum
from html import escape


class Tone(StrEnum):
    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """One outcome: what happened, and what to do now."""

    status: int
    tone: Tone
    title: str
    words: str
    next_step: str


_BACK = "You can close this page and go back to the chat."
_AGAIN = "Go back to the chat and send /login for a new link."

NO_SUCH_LINK = Ending(
    status=404,
    tone=Tone.BAD,
    title="This is no sign-in link",
    words="It is incomplete, or another desk made it.",
    next_step="Go back to the chat and open the link again, or send /login for a new one.",
)
LINK_IS_OVER = Ending(
    status=410,
    tone=Tone.WAIT,
    title="This link is over",
    words="It was used, has expired, or the desk was signed in by another one.",
    next_step="If the desk still needs you, send /login in the chat for a new link.",
)
DESK_IS_AWAY = Ending(
    status=503,
    tone=Tone.WAIT,
    title="The desk does not answer",
    words="The link is still good.",
    next_step="Open it again in a moment. If that does not help, look whether the desk runs.",
)
OTHER_BROWSER = Ending(
    status=403,
    tone=Tone.BAD,
    title="Not begun in this browser",
    words="The desk takes a sign-in only from the browser that opened its link. Nothing was changed.",
    next_step="Open the link in the chat again, and finish in the browser that it opens.",
)
NOT_SIGNED_IN = Ending(
    status=400,
    tone=Tone.WAIT,
    title="Dhan did not sign you in",
    words="It sent you back without a sign-in. Nothing was changed.",
    next_step="Open the link in the chat again, or send /login for a new one.",
)
TOO_LATE = Ending(
    status=410,
    tone=Tone.WAIT,
    title="That took too long, or came twice",
    words="A sign-in counts once, and within ten minutes after its link was opened. Nothing was changed.",
    next_step="If the desk still needs you, open the link in the chat again, or send /login for a new one.",
)
STILL_AT_IT = Ending(
    status=202,
    tone=Tone.WAIT,
    title="The desk has your sign-in",
    words="It has not finished with it yet.",
    next_step="You can close this page: /token in the chat tells how it ended.",
)


def signed_in(until: str) -> Ending:
    words = f"Munshi is signed in at Dhan until {until}. The chat says what goes on."
    return Ending(status=200, tone=Tone.GOOD, title="Signed in", words=words, next_step=_BACK)


def failed(words: str) -> Ending:
    """409, since proxies put a page of their own in the place of a 502."""
    sentence = words[:1].upper() + words[1:]
    return Ending(status=409, tone=Tone.BAD, title="Not signed in", words=sentence, next_step=_AGAIN)


def wrong_account() -> Ending:
    words = "You signed in with another Dhan account than this desk trades for. Its token was thrown away at once."
    step = "Sign out at Dhan, then send /login in the chat and use the account of DHAN_CLIENT_ID."
    return Ending(status=403, tone=Tone.BAD, title="Wrong account", words=words, next_step=step)


_MARKS = {
    Tone.GOOD: '<path d="M14 25.5l7 7 14-16"/>',
    Tone.WAIT: '<path d="M24 14v11l7 5"/>',
    Tone.BAD: '<path d="M24 14v13M24 33.5v.5"/>',
}
_STYLE = """
:root{--ink:#16191d;--soft:#5c6570;--paper:#fff;--ground:#f5f6f8;--line:#e3e6ea;--good:#0f766e;--wait:#a16207;--bad:#b42318}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#9aa4b0;--paper:#1a1e23;--ground:#121519;--line:#2b3138;
--good:#5eead4;--wait:#fcd34d;--bad:#fda29b}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;min-height:100svh;display:grid;place-items:center;padding:1.25rem;
background:var(--ground);color:var(--ink);font:17px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:25rem;background:var(--paper);border:1px solid var(--line);border-radius:16px;
padding:2rem 1.5rem 1.5rem;text-align:center;overflow-wrap:anywhere}
svg{width:64px;height:64px;fill:none;stroke:var(--tone);stroke-width:3.5;stroke-linecap:round;stroke-linejoin:round}
h1{font-size:1.5rem;line-height:1.2;letter-spacing:-.01em;margin:1rem 0 .5rem;text-wrap:balance}
p{margin:0;text-wrap:pretty}.next{color:var(--soft);margin-top:.75rem}
footer{color:var(--soft);font-size:.8125rem;border-top:1px solid var(--line);margin-top:1.5rem;padding-top:1rem}
"""


def login_page(ending: Ending) -> str:
    """HTML of one outcome."""
    mark = f'<svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="21"/>{_MARKS[ending.tone]}</svg>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(ending.title)} · Munshi</title>"
        f"<style>{_STYLE}:root{{--tone:var(--{ending.tone})}}</style></head>"
        f"<body><main>{mark}<h1>{escape(ending.title)}</h1><p>{escape(ending.words)}</p>"
        f'<p class="next">{escape(ending.next_step)}</p><footer>Munshi, your order desk</footer></main></body></html>'
    )

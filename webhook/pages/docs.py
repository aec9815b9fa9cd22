"""The calls, readable on a phone, made from the OpenAPI document without a script or a foreign byte."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from webhook.pages.trace import STYLE

_STYLE = """
.call h2{margin:0;font-size:1.05rem;overflow-wrap:anywhere}
.verb{color:var(--accent);font:700 .875rem ui-monospace,monospace}
.answers{border-collapse:collapse;width:100%;margin:.75rem 0 0}.answers td{border-top:1px solid var(--line);
padding:.4rem .5rem .4rem 0;vertical-align:top}.answers td:first-child{font-variant-numeric:tabular-nums;width:3rem}
pre{background:var(--ground);border-radius:8px;padding:.75rem;overflow-x:auto}
"""


def docs_page(document: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI document."""
    calls = [
        _call(verb.upper(), path, call) for path, calls in document["paths"].items() for verb, call in calls.items()
    ]
    about = escape(document["info"].get("description", ""))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Calls · Munshi</title><style>{STYLE}{_STYLE}</style></head><body><main><h1>Calls</h1><p>{about}</p>"
        f'<p class="soft">For programs: <a href="/openapi.json">/openapi.json</a>, OpenAPI {document["openapi"]}.</p>'
        f"{''.join(calls)}</main></body></html>"
    )


def _call(verb: str, path: str, call: Mapping[str, Any]) -> str:
    asked = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    return (
        f'<section class="sheet call"><h2><span class="verb">{verb}</span> {escape(path)}</h2>'
        f"<p><strong>{escape(call.get('summary', ''))}</strong></p>{_paragraphs(call.get('description', ''))}"
        + "".join(_parameter(parameter) for parameter in call.get("parameters", []))
        + (f"<pre>{_shown(asked)}</pre>" if asked else "")
        + f'<table class="answers">{"".join(_answer(*answer) for answer in sorted(call["responses"].items()))}</table>'
        "</section>"
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part)


def _parameter(parameter: Mapping[str, Any]) -> str:
    must = "" if parameter.get("required") else ", optional"
    return f'<p class="soft"><code>{escape(parameter["name"])}</code> in the {escape(parameter["in"])}{must}</p>'


def _answer(status: str, answer: Mapping[str, Any]) -> str:
    examples = [kind["example"] for kind in answer.get("content", {}).values() if "example" in kind]
    shown = "".join(f"<pre>{_shown(example)}</pre>" for example in examples)
    return f"<tr><td>{status}</td><td>{escape(answer['description'])}{shown}</td></tr>"


def _shown(example: Any) -> str:
    return escape(example if isinstance(example, str) else json.dumps(example, indent=1, ensure_ascii=False))

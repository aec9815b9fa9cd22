"""The login host: token by PIN and code, and the consent flow with its page in the browser."""

from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from core.sandbox.dhan.login import OTHER_ACCOUNT, Login
from core.settings import PaperAccount

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Paper Dhan: sign in</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3C\
circle cx='4' cy='4' r='4' fill='%230f766e'/%3E%3C/svg%3E"><style>
:root{{color-scheme:light dark}}*{{box-sizing:border-box}}
body{{font:17px/1.5 system-ui,sans-serif;max-width:25rem;min-height:100svh;margin:0 auto;padding:1.5rem;display:grid;
align-content:center}}h1{{font-size:1.5rem;margin:0 0 .5rem}}p{{margin:0 0 1.25rem}}
button{{font:inherit;width:100%;min-height:3rem;border-radius:12px;border:1px solid #8886;margin-bottom:.75rem}}
button:first-of-type{{background:#0f766e;color:#fff;border-color:#0f766e;font-weight:600}}
</style></head><body><main><h1>Paper Dhan</h1><p>{words}</p>{form}</main></body></html>"""
_FORM = f"""<form method="post"><button name="account" value="{PaperAccount.CLIENT_ID}">Sign in</button>
<button name="account" value="{OTHER_ACCOUNT}">Sign in with another account</button></form>"""


@dataclass
class SignIn:
    login: Login
    redirect_url: str

    async def generate_token(self, request: Request) -> Response:
        query = request.query_params
        return JSONResponse(
            self.login.with_code(query.get("dhanClientId", ""), query.get("pin", ""), query.get("totp", ""))
        )

    async def generate_consent(self, request: Request) -> Response:
        client_id = request.query_params.get("client_id", "")
        consent_id = self.login.open_consent(client_id, *_app_of(request))
        return JSONResponse({"consentAppId": consent_id, "consentAppStatus": "GENERATED", "status": "success"})

    async def page(self, request: Request) -> Response:
        """Looking at the page grants nothing: link previews look, too. The button does."""
        if request.method == "GET":
            words = f"This stands in for Dhan's sign-in page. Account {escape(PaperAccount.CLIENT_ID)}, paper money."
            return HTMLResponse(_PAGE.format(words=words, form=_FORM))
        chosen = parse_qs((await request.body()).decode()).get("account", [PaperAccount.CLIENT_ID])
        token_id = self.login.grant(request.query_params.get("consentAppId", ""), chosen[0])
        if token_id is None:
            words = "This sign-in link is unknown or was used before. Ask the desk for a new one."
            return HTMLResponse(_PAGE.format(words=words, form=""), HTTPStatus.BAD_REQUEST)
        return RedirectResponse(f"{self.redirect_url}/?tokenId={token_id}", HTTPStatus.FOUND)

    async def consume_consent(self, request: Request) -> Response:
        token_id = request.query_params.get("tokenId", "")
        return JSONResponse(self.login.consume(token_id, *_app_of(request)))


def _app_of(request: Request) -> tuple[str | None, str | None]:
    return request.headers.get("app_id"), request.headers.get("app_secret")

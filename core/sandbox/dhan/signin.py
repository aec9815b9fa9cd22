"""The login host: token by PIN and code, and the consent flow with its page in the browser."""

from dataclasses import dataclass
from html import escape
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from core.sandbox.dhan.login import Login
from core.settings import PaperAccount

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Paper Dhan: sign in</title>
<body style="font-family: system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem">
<h1>Paper Dhan</h1><p>{words}</p>{form}</body></html>"""
_FORM = """<form method="post"><button style="font: inherit; padding: .6rem 1.4rem">Sign in</button></form>"""


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
        token_id = self.login.grant(request.query_params.get("consentAppId", ""))
        if token_id is None:
            words = "This sign-in link is unknown or was used before. Ask the desk for a new one."
            return HTMLResponse(_PAGE.format(words=words, form=""), HTTPStatus.BAD_REQUEST)
        return RedirectResponse(f"{self.redirect_url}/?tokenId={token_id}", HTTPStatus.FOUND)

    async def consume_consent(self, request: Request) -> Response:
        token_id = request.query_params.get("tokenId", "")
        return JSONResponse(self.login.consume(token_id, *_app_of(request)))


def _app_of(request: Request) -> tuple[str | None, str | None]:
    return request.headers.get("app_id"), request.headers.get("app_secret")

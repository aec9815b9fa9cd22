"""`GET /docs`: the calls of this process, for people. HTTP_DOCS=false takes it away, and /openapi.json with it."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from webhook.pages.docs import docs_page

_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
}


def docs_routes(app: FastAPI) -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()), headers=_HEADERS)

    return router

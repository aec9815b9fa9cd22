"""What goes wrong before or in a route, in the shape of all our errors, and never as a 500 that could be a 503."""

from typing import cast

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect

from core.errors import Unavailable
from webhook.answers import error, unavailable


def answer_errors(app: FastAPI) -> None:
    app.add_exception_handler(AnyHTTPException, _refusal)
    app.add_exception_handler(RequestValidationError, _mistakes)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _fault_of_ours)


async def _refusal(_request: Request, fault: Exception) -> Response:
    refusal = cast("HTTPException", fault)
    return error(refusal.status_code, str(refusal.detail), headers=refusal.headers)


async def _mistakes(_request: Request, fault: Exception) -> Response:
    """Names and expectations; never the value, which may be a secret in the wrong place."""
    mistakes = [
        f"{'.'.join(str(part) for part in mistake['loc'][1:])}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}"
        for mistake in cast("RequestValidationError", fault).errors()
    ]
    return error(422, " ".join(mistakes), mistakes=mistakes)


async def _unavailable(_request: Request, trouble: Exception) -> Response:
    return unavailable(str(trouble))


async def _gone(_request: Request, _fault: Exception) -> Response:
    return Response(status_code=499)


async def _fault_of_ours(_request: Request, _fault: Exception) -> Response:
    """The server logs it, with its traceback."""
    return unavailable("something went wrong here, and stands in the log.")

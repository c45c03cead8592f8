"""The error body that every service answers with: `Type`, `Code`, `Message`, `ValidationErrorMessages`.

401 and 403 have an empty body (`eventlog.trust`). No answer holds a stack trace, an SQL text or what the caller sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from eventlog.database import is_outage

_CODES: Final = {404: "NotFound", 405: "MethodNotAllowed", 413: "TooLarge", 415: "UnsupportedMediaType"}
_log: Final = logging.getLogger(__name__)


class JsonAnswer(JSONResponse):
    """JSON that says its letters, as the data access API promises of every answer."""

    media_type = "application/json; charset=utf-8"


class ErrorBody(BaseModel):
    """An error, for the API's own description of itself."""

    Type: str
    Code: str
    Message: str
    ValidationErrorMessages: list[str] | None = None


class Problem(Exception):
    """An answer that is not a good one; `message` says to the caller what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        validation_errors: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.validation_errors = tuple(validation_errors)
        self.headers = dict(headers or {})


def problem_body(problem: Problem) -> dict[str, Any]:
    """The JSON object of `problem`; a 400 always lists its `ValidationErrorMessages`."""
    body: dict[str, Any] = {
        "Type": HTTPStatus(problem.status).phrase.replace(" ", ""),
        "Code": problem.code,
        "Message": problem.message,
    }
    if problem.status == HTTPStatus.BAD_REQUEST:
        body["ValidationErrorMessages"] = list(problem.validation_errors or (problem.message,))
    return body


def answer_problems(app: FastAPI) -> None:
    """Make `app` answer every error with the one body; what we did not foresee is a 500 without detail."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(SQLAlchemyError, _of_database)
    app.add_exception_handler(Exception, _of_fault)


def _answer(problem: Problem) -> JsonAnswer:
    return JsonAnswer(problem_body(problem), status_code=problem.status, headers=problem.headers)


def _of_problem(_: Request, error: Exception) -> JsonAnswer:
    assert isinstance(error, Problem)  # noqa: S101 (the registration above says so)
    return _answer(error)


def _of_validation(_: Request, error: Exception) -> JsonAnswer:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (the registration above says so)
    messages = [f"{_place(each['loc'])}: {each['msg'].removeprefix('Value error, ')}" for each in error.errors()]
    return _answer(Problem(400, "ValidationError", "the request is not valid", validation_errors=messages))


def _of_http(_: Request, error: Exception) -> JsonAnswer:
    assert isinstance(error, HTTPException)  # noqa: S101 (the registration above says so)
    phrase = HTTPStatus(error.status_code).phrase
    code = _CODES.get(error.status_code, phrase.replace(" ", ""))
    return _answer(Problem(error.status_code, code, phrase.lower(), headers=error.headers))


def _of_database(_: Request, error: Exception) -> JsonAnswer:
    if not is_outage(error):
        raise error
    _log.warning("the database is away: %s", type(error).__name__)
    message = "the database is away; nothing was written, try again"
    return _answer(Problem(503, "DatabaseUnavailable", message, headers={"Retry-After": "2"}))


def _of_fault(_: Request, error: Exception) -> JsonAnswer:
    return _answer(Problem(500, "InternalError", "something went wrong here; it was logged"))


def _place(location: Sequence[int | str]) -> str:
    """Where in the request, without the word for its part (`body`, `query`) where a name follows."""
    parts = [str(part) for part in location]
    return ".".join(parts[1:] or parts)

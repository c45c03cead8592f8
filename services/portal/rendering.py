"""Templates to answers, in the language of the request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.portal.security import asked_for
from services.portal.sessions import Role, Viewer
from services.portal.wording import Language, Wording, choose_language, wording

LANGUAGE_COOKIE: Final = "language"
LANGUAGE_LASTS: Final = timedelta(days=365)
STATIC: Final = Path(__file__).parent / "static"
PLACES: Final = {
    Role.OPERATOR: (("/points", "nav_points"), ("/live", "nav_live")),
    Role.HOLDER: (("/my-mandates", "nav_mandates"), ("/points", "nav_points")),
    Role.NET_USER: (("/my-points", "nav_my_points"), ("/points", "nav_points")),
}
_TEMPLATES: Final = Path(__file__).parent / "templates"


def words_for(request: Request) -> Wording:
    """The wording that this browser asks for: by the switch, else by its own languages."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    return wording(choose_language(chosen, request.headers.get("accept-language", "")))


class Pages:
    """The pages of the portal."""

    def __init__(self) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["static"] = static_address
        self._environment.filters["ean_groups"] = ean_groups
        self._environment.filters["kbo_groups"] = kbo_groups
        self._environment.filters["places"] = places

    def answer(
        self,
        request: Request,
        template: str,
        *,
        viewer: Viewer | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """The page `template` with `context`; it varies by cookie and language."""
        words = words_for(request)
        here, languages = asked_for(request), [wording(each) for each in Language]
        body = self.part(request, template, viewer=viewer, languages=languages, here=here, **context)
        vary = {"Vary": "Cookie, Accept-Language", "Content-Language": words.language.value}
        return HTMLResponse(body, status_code=status, headers={**vary, **(headers or {})})

    def part(self, request: Request, template: str, **context: Any) -> str:
        """The HTML of `template` with `context`, in the language of `request`."""
        words = words_for(request)
        return self._environment.get_template(template).render(words=words, say=words.say, **context)


def static_address(name: str) -> str:
    """The address of a file under static/, which changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def ean_groups(ean: str) -> list[str]:
    """The digits of an EAN in groups that can be read aloud; together they are the EAN."""
    return [ean[i : i + 4] for i in range(0, len(ean), 4)]


def kbo_groups(kbo: str) -> str:
    """An enterprise number as enterprises write it: `0999.970.051`."""
    return f"{kbo[:4]}.{kbo[4:7]}.{kbo[7:]}"


def places(roles: Sequence[Role]) -> list[tuple[str, str]]:
    """The addresses that somebody with `roles` goes between, and the texts that name them."""
    return list(dict.fromkeys(place for role in roles for place in PLACES[role]))

"""The pages of points: parse, ask export, answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from market.channel import Energy
from market.ean import InvalidEan, parse_ean
from services.portal.doors import Doors
from services.portal.drawing import Drawer
from services.portal.exports import Export, NoData
from services.portal.mandate_client import MandateClient
from services.portal.mandates import gives_days_alone
from services.portal.neighbours import ServiceAway
from services.portal.partial_days import days_to_complete, with_partial_days
from services.portal.periods import Period, View, parse_day, period_of
from services.portal.point_page import content, granularities, nearest_data, notes, period_title
from services.portal.readings import Point, Readings
from services.portal.refusals import Refusal
from services.portal.rendering import Pages, words_for
from services.portal.sessions import Role, Viewer

POINTS_SHOWN: Final = 100
_SEE_OTHER: Final = 303
_FILES: Final = {Energy.ELECTRICITY: ("quarter", "day"), Energy.GAS: ("hour", "day")}


@dataclass(frozen=True, slots=True)
class Points:
    """The list of points, the page of one, its CSV."""

    doors: Doors
    export: Export
    mandate: MandateClient
    drawer: Drawer
    pages: Pages
    today: Callable[[], date]

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/points", self.list),
            Route("/points/{ean}", self.open),
            Route("/points/{ean}/go", self.go),
            Route("/points/{ean}/csv", self.csv),
            Route("/points/{ean}/{view}/{day}", self.show),
        ]

    async def list(self, request: Request) -> Response:
        """The points that the person may read."""
        return await self.listing(request, await self.doors.viewer(request))

    async def listing(self, request: Request, viewer: Viewer) -> Response:
        """The points that have readings and that `viewer` may read, by part of their EAN."""
        points = sorted(await self.export.points(viewer.token), key=lambda point: point.ean)
        query = "".join(request.query_params.get("q", "").split())[:18]
        found = [point for point in points if query in point.ean]
        if len(found) == 1 and found[0].ean == query:
            return RedirectResponse(f"/points/{query}", _SEE_OTHER)
        return self.pages.answer(
            request,
            "points.html",
            viewer=viewer,
            address=request.url.path,
            has_points=bool(points),
            query=query,
            found_count=len(found),
            points=found[:POINTS_SHOWN],
            is_cut=len(found) > POINTS_SHOWN,
        )

    async def open(self, request: Request) -> Response:
        """The newest day of a point."""
        _, point = await self._point(request)
        return RedirectResponse(_address(point, View.DAY, nearest_data(point, self.today())), _SEE_OTHER)

    async def go(self, request: Request) -> Response:
        """The period of the date that was filled in."""
        ean, query = _ean(request), request.query_params
        day, view = _day(query.get("on", "")), _view(query.get("view", View.DAY))
        return RedirectResponse(f"/points/{ean}/{view}/{period_of(view, day).key}", _SEE_OTHER)

    async def show(self, request: Request) -> Response:
        """A day, week or month of a point."""
        period = _period(request.path_params["view"], request.path_params["day"])
        viewer, point = await self._point(request)
        words = words_for(request)
        readings = await self._readings(viewer, point, period)
        shown = None if readings is None else await content(readings, period, words, self.drawer)
        return self.pages.answer(
            request,
            "point.html",
            viewer=viewer,
            point=point,
            period=period,
            title=period_title(period, words),
            content=shown,
            notes=notes(point, period),
            today=self.today(),
            views=list(View),
            period_of=period_of,
            files=await self._files(viewer, point),
        )

    async def csv(self, request: Request) -> Response:
        """The CSV of a period, byte for byte as export makes it."""
        query = request.query_params
        period = _period(query.get("view", ""), query.get("day", ""))
        viewer, point = await self._point(request)
        granularity = query.get("granularity", "")
        if granularity not in _FILES[point.energy]:
            raise Refusal(404, "error_404_title", "error_404")
        try:
            file = await self.export.csv(
                viewer.token, point.ean, period, granularity, words_for(request).language.value
            )
        except NoData as error:
            raise self._no_data(request, point) from error
        headers = {"Content-Disposition": file.disposition}
        return Response(file.body, media_type=file.content_type, headers=headers)

    async def _point(self, request: Request) -> tuple[Viewer, Point]:
        """Who asks, and the point of the address.

        Raises:
            SignInNeeded, Refusal, ServiceAway, TokenRefused, NotAllowed: as they say.
        """
        viewer = await self.doors.viewer(request)
        ean = _ean(request)
        for point in await self.export.points(viewer.token):
            if point.ean == ean:
                return viewer, point
        if Role.OPERATOR in viewer.roles:
            raise Refusal(404, "error_point_title", "search_none_next", is_import=True)
        raise Refusal(404, "error_own_point_title", "error_own_point")

    async def _readings(self, viewer: Viewer, point: Point, period: Period) -> Readings | None:
        for granularity in granularities(point.energy, period.view):
            readings = await self.export.readings(viewer.token, point.ean, period, granularity)
            if readings is not None and readings.series:
                return await self._with_partial_days(readings, viewer, point, period)
        return None

    async def _with_partial_days(self, readings: Readings, viewer: Viewer, point: Point, period: Period) -> Readings:
        """The same, and what there is of the days that are not complete."""
        span = None if period.view is View.DAY else days_to_complete(readings, point, period)
        if span is None:
            return readings
        fine = await self.export.readings(viewer.token, point.ean, span, _FILES[point.energy][0])
        return readings if fine is None else with_partial_days(readings, fine)

    async def _files(self, viewer: Viewer, point: Point) -> Sequence[str]:
        """The granularities of the files to offer: days alone to a holder who may read no more of the point.

        While mandate is away all are offered: export gives nobody more than they may read.
        """
        files = _FILES[point.energy]
        if set(viewer.roles) != {Role.HOLDER}:
            return files
        try:
            listed = await self.mandate.mandates(viewer.token, "holder", ean=point.ean)
        except ServiceAway:
            return files
        # A sub head point has no mandate of its own: what its head point's gives is not known here.
        return files[1:] if gives_days_alone(listed.mandates) else files

    def _no_data(self, request: Request, point: Point) -> Refusal:
        words = words_for(request)
        first, last = words.plain_day(point.first_on), words.plain_day(point.last_on)
        return Refusal(404, "no_data_title", "no_data_where", first=first, last=last)


def _address(point: Point, view: View, day: date) -> str:
    return f"/points/{point.ean}/{view}/{period_of(view, day).key}"


def _ean(request: Request) -> str:
    try:
        return parse_ean(request.path_params["ean"])
    except InvalidEan as error:
        raise Refusal(404, "error_ean_title", "error_ean") from error


def _day(text: str) -> date:
    try:
        return parse_day(text)
    except ValueError as error:
        raise Refusal(404, "error_date_title", "error_date") from error


def _view(text: str) -> View:
    if text not in set(View):
        raise Refusal(404, "error_404_title", "error_404")
    return View(text)


def _period(view: str, day: str) -> Period:
    return period_of(_view(view), _day(day))

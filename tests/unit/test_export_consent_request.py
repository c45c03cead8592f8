"""The body that starts a consent: lenient in its spelling, and what it becomes."""

from __future__ import annotations

from typing import Any

import pytest

from eventlog.problems import Problem
from services.export.consent_request import read_consent_request
from services.export.mandate_client import in_clients_words
from tests.examples import HOLDER_KBO

BODY: dict[str, Any] = {
    "dataAccessContractNumber": "1000000001",
    "referenceNumber": "order-1",
    "flow": "B2C",
    "dataServices": [{"dataServiceType": "VH_dag"}],
}


def read(**changes: Any) -> dict[str, Any]:
    return read_consent_request({**BODY, **changes}, holder_kbo=HOLDER_KBO)


def test_the_least_there_is() -> None:
    assert read(numberOfEans=None, returnUrlSuccess=None, sso=True, unknown=1) == {
        "contract_number": "1000000001",
        "holder_kbo": HOLDER_KBO,
        "reference_number": "order-1",
        "flow": "B2C",
        "services": [{"type": "VH_dag", "from": None, "to": None}],
        "number_of_eans": None,
        "return_url_success": None,
        "return_url_failed": None,
        "enterprise_number": None,
    }


def test_names_and_words_match_without_regard_to_case() -> None:
    body = {name.upper(): value for name, value in BODY.items()} | {"FLOW": "b2b", "EnterpriseNumber": "0123456749"}
    session = read_consent_request(body, holder_kbo=HOLDER_KBO)
    assert (session["flow"], session["enterprise_number"]) == ("B2B", "0123456749")
    assert read(dataServices=[{"DataServiceType": "vh_KWARTIER_uur"}])["services"][0]["type"] == "VH_kwartier_uur"


def test_numbers_may_be_numbers_or_texts() -> None:
    session = read(dataAccessContractNumber=1000000001, numberOfEans="3")
    assert (session["contract_number"], session["number_of_eans"]) == ("1000000001", 3)


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("2026-01-01", "2026-12-31", ("2026-01-01", "2026-12-31")),
        ("2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z", ("2026-01-01", "2026-12-31")),
        ("2026-06-30T22:00:00Z", "2026-07-31T22:00:00Z", ("2026-07-01", "2026-07-31")),
        ("2026-01-01T10:00:00", "2026-12-31T10:00:00", ("2026-01-01", "2026-12-31")),
        ("", None, (None, None)),
    ],
)
def test_a_data_period_is_whole_local_days(first: str, last: str | None, days: tuple[str | None, str | None]) -> None:
    [service] = read(dataServices=[{"dataServiceType": "IG", "dataPeriodFrom": first, "dataPeriodTo": last}])[
        "services"
    ]
    assert (service["from"], service["to"]) == days


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataAccessContractNumber": None}, "dataAccessContractNumber: this field is required, a text"),
        ({"referenceNumber": ""}, "referenceNumber: this field is required, a text"),
        ({"referenceNumber": ["x"]}, "referenceNumber: a text"),
        ({"flow": "B2G"}, "flow: B2C or B2B"),
        ({"flow": None}, "flow: B2C or B2B"),
        ({"dataServices": None}, "dataServices: this field is required, a list of objects"),
        ({"dataServices": []}, "dataServices: this field is required, a list of objects"),
        ({"dataServices": ["VH_dag"]}, "dataServices: this field is required, a list of objects"),
        (
            {"dataServices": [{"dataServiceType": "all"}]},
            "dataServices[0].dataServiceType: one of VH_onbepaald, VH_kwartier_uur, VH_dag, IG",
        ),
        (
            {"dataServices": [{"dataServiceType": "IG", "dataPeriodTo": "soon"}]},
            "dataServices[0].dataPeriodTo: a date, or a date-time in ISO 8601",
        ),
        (
            {"dataServices": [{"dataServiceType": "IG", "dataPeriodTo": "9999-12-31"}]},
            "dataServices[0].dataPeriodTo: a year from 1900 to 2199",
        ),
        ({"numberOfEans": "many"}, "numberOfEans: a whole number"),
        ({"numberOfEans": "9" * 5000}, "numberOfEans: a whole number"),
        ({"referenceNumber": "half a letter: \ud800"}, "referenceNumber: a text"),
        ({"numberOfEans": True}, "numberOfEans: a whole number"),
        ({"returnUrlSuccess": 7.5}, "returnUrlSuccess: a text"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Problem) as caught:
        read(**changes)
    assert (caught.value.status, caught.value.validation_errors) == (400, (message,))


@pytest.mark.parametrize("body", [None, [], "x", 7])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(Problem, match="JSON object"):
        read_consent_request(body, holder_kbo=HOLDER_KBO)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "number_of_eans: Input should be less than or equal to 100",
            "numberOfEans: Input should be less than or equal to 100",
        ),
        (
            "enterprise_number: an enterprise number is ten digits",
            "enterpriseNumber: an enterprise number is ten digits",
        ),
        ("services: List should have at most 4 items", "dataServices: List should have at most 4 items"),
        ("give both return addresses or neither", "give both return addresses or neither"),
    ],
)
def test_a_client_reads_of_fields_by_the_names_it_sent(said: str, shown: str) -> None:
    assert in_clients_words(said) == shown

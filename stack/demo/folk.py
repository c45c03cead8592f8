"""Who lives and works in the demo world, who may sign in, and which holders ask for their data. Pure.

Nobody here exists: the surnames mean made-up, the addresses end in `example.org`, the enterprise numbers lie in a range
of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from market.channel import Energy
from market.ean import Ean
from market.kbo import Kbo, check_number, parse_kbo
from stack.demo.plan import AMR, DIGITAL, GAS, SUNNY, DemoPoint, Plan, demo_ean

_GIVEN: Final = (
    "Anouk",
    "Bram",
    "Chloé",
    "Dries",
    "Elif",
    "Femke",
    "Gilles",
    "Hanne",
    "Imane",
    "Jef",
    "Katrijn",
    "Louis",
)
_SURNAMES: Final = ("Voorbeeld", "Verzonnen", "Fantasie", "Denkbeeld", "Proefman")
_BEFORE_GAS: Final = 35
_PLAIN: Final = str.maketrans("é", "e")


def demo_kbo(number: int) -> Kbo:
    """Return the enterprise number of the `number`-th made-up enterprise (from 1)."""
    first = f"0999{9700 + number:04d}"
    return parse_kbo(f"{first}{check_number(first):02d}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetUser:
    """A person (`person_ref`) or an enterprise (`kbo`) that uses the network; `sign_in` is empty for most."""

    name: str
    email: str
    person_ref: str = ""
    kbo: Kbo | None = None
    sign_in: str = ""

    @property
    def key(self) -> str:
        """What the net user is told apart by in this world."""
        return self.person_ref or str(self.kbo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """`net_user` uses the network at a point from `first_on` to `last_on`, both inclusive; None: still does.

    Of a stay that `ends_after_consent` the end is told to the register after the consents are given.
    """

    ean: Ean
    net_user: NetUser
    first_on: date
    last_on: date | None = None
    ends_after_consent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A data access holder with one person who signs in; the first one is the live holder of the credentials file."""

    name: str
    kbo: Kbo
    sign_in: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What `net_user` allows a holder (its number in `HOLDERS`) under one reference; some is withdrawn again."""

    net_user: NetUser
    holder: int
    reference_number: str
    data_service_type: str
    eans: tuple[Ean, ...]
    period_from: date | None = None
    is_withdrawn: bool = False


ANOUK: Final = NetUser(
    name="Anouk Voorbeeld", email="anouk@example.org", person_ref="demo-person-anouk", sign_in="anouk"
)
BRAM: Final = NetUser(name="Bram Verzonnen", email="bram@example.org", person_ref="demo-person-bram", sign_in="bram")
CHLOE: Final = NetUser(
    name="Chloé Fantasie", email="chloe@example.org", person_ref="demo-person-chloe", sign_in="chloe"
)
FACTORY: Final = NetUser(
    name="Voorbeeldfabriek NV",
    email="energie@voorbeeldfabriek.example.org",
    kbo=demo_kbo(1),
    sign_in="voorbeeldfabriek",
)
BAKERY: Final = NetUser(name="Bakkerij Het Proefbrood BV", email="hallo@proefbrood.example.org", kbo=demo_kbo(2))
SIGNERS: Final = (ANOUK, BRAM, CHLOE, FACTORY)
HOLDERS: Final = (
    Holder(name="Energiecoach Voorbeeld BV", kbo=demo_kbo(51), sign_in="energiecoach"),
    Holder(name="Stroomspiegel Demo NV", kbo=demo_kbo(52), sign_in="stroomspiegel"),
)


def sign_ins() -> dict[str, dict[str, object]]:
    """Return who may sign in besides the operator, with the claims of each."""
    people: dict[str, dict[str, object]] = {}
    for each in SIGNERS:
        claim = {"kbo": each.kbo} if each.kbo else {"person_ref": each.person_ref}
        people[each.sign_in] = {"name": each.name, "roles": ["net_user"], **claim}
    for holder in HOLDERS:
        people[holder.sign_in] = {"name": holder.name, "roles": ["holder"], "kbo": holder.kbo}
    return people


def stays(plan: Plan) -> tuple[Stay, ...]:
    """Return who used the network where and when: one household or enterprise per head point, and some who moved."""
    moved, left = plan.last_day - timedelta(days=200), plan.last_day - timedelta(days=90)
    before, after = _resident(90), _resident(91)
    special: dict[Ean, list[tuple[NetUser, date | None, date | None]]] = {
        demo_ean(SUNNY, 1): [(ANOUK, None, None)],
        demo_ean(GAS, 1): [(ANOUK, None, None)],
        demo_ean(DIGITAL, 1): [(before, None, moved - timedelta(days=1)), (BRAM, moved, None)],
        demo_ean(GAS, 2): [(before, None, moved - timedelta(days=1)), (BRAM, moved, None)],
        demo_ean(DIGITAL, 2): [(CHLOE, None, left), (after, left + timedelta(days=1), None)],
        demo_ean(DIGITAL, 3): [(CHLOE, left - timedelta(days=6), None)],
        demo_ean(GAS, 3): [(CHLOE, left - timedelta(days=6), None)],
        demo_ean(DIGITAL, 19): [(BAKERY, None, None)],
        demo_ean(GAS, 16): [(BAKERY, None, None)],
        demo_ean(AMR, 1): [(FACTORY, None, None)],
        demo_ean(AMR, 3): [(FACTORY, None, None)],
    }
    found: list[Stay] = []
    for number, point in enumerate(plan.points, start=1):
        for net_user, first_on, last_on in special.get(point.ean, [(_usual(number, point), None, None)]):
            found.append(_stay(point, net_user, first_on, last_on))
    return tuple(found)


def consents(plan: Plan) -> tuple[Consent, ...]:
    """Return what the signers allow, in order: kept, cut to a period, withdrawn, and ended by a move."""
    recent = plan.last_day - timedelta(days=60)
    quarters, days = "VH_kwartier_uur", "VH_dag"
    home, gas, flat, old, new = (
        demo_ean(k, n) for k, n in ((SUNNY, 1), (GAS, 1), (DIGITAL, 1), (DIGITAL, 2), (DIGITAL, 3))
    )
    return (
        Consent(net_user=ANOUK, holder=0, reference_number="DEMO-1", data_service_type=quarters, eans=(home, gas)),
        Consent(net_user=BRAM, holder=0, reference_number="DEMO-2", data_service_type=quarters, eans=(flat,)),
        Consent(net_user=BRAM, holder=0, reference_number="DEMO-3", data_service_type=days, eans=(demo_ean(GAS, 2),)),
        Consent(
            net_user=CHLOE,
            holder=0,
            reference_number="DEMO-4",
            data_service_type=quarters,
            eans=(new,),
            period_from=recent,
        ),
        Consent(
            net_user=FACTORY,
            holder=0,
            reference_number="DEMO-5",
            data_service_type="VH_onbepaald",
            eans=(demo_ean(AMR, 1),),
        ),
        Consent(net_user=ANOUK, holder=1, reference_number="DEMO-6", data_service_type=days, eans=(home,)),
        Consent(
            net_user=BRAM,
            holder=1,
            reference_number="DEMO-7",
            data_service_type=quarters,
            eans=(flat,),
            is_withdrawn=True,
        ),
        Consent(net_user=CHLOE, holder=1, reference_number="DEMO-8", data_service_type=quarters, eans=(old,)),
    )


def open_question(plan: Plan) -> Consent:
    """Return what the second holder asks Chloé, and waits for: a link for whoever looks at the world."""
    eans = (demo_ean(DIGITAL, 3), demo_ean(GAS, 3))
    return Consent(net_user=CHLOE, holder=1, reference_number="DEMO-9", data_service_type="VH_kwartier_uur", eans=eans)


def _stay(point: DemoPoint, net_user: NetUser, first_on: date | None, last_on: date | None) -> Stay:
    return Stay(
        ean=point.ean,
        net_user=net_user,
        first_on=first_on or point.registered_on,
        last_on=last_on,
        ends_after_consent=bool(net_user.sign_in) and last_on is not None,
    )


def _usual(number: int, point: DemoPoint) -> NetUser:
    """Return who is at an ordinary point: a household that signs in nowhere, or an enterprise of its own.

    The n-th gas meter stands in the n-th home.
    """
    if point.is_household:
        return _resident(number - _BEFORE_GAS if point.energy is Energy.GAS else number)
    return NetUser(name=f"Voorbeeldzaak {number} BV", email=f"zaak{number}@example.org", kbo=demo_kbo(100 + number))


def _resident(number: int) -> NetUser:
    given, surname = _GIVEN[number % len(_GIVEN)], _SURNAMES[number % len(_SURNAMES)]
    email = f"{given}.{surname}{number}@example.org".lower().translate(_PLAIN)
    return NetUser(name=f"{given} {surname} {number}", email=email, person_ref=f"demo-person-{number:03d}")

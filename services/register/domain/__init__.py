"""What the access register decides. Pure: a stream per access point, `point:<EAN>`, and per net user."""

from services.register.domain.commands import (
    AddAllocationPoint,
    AddSubHeadPoint,
    CloseAccessPoint,
    InstallMeter,
    MoveIn,
    MoveOut,
    PointCommand,
    RegisterAccessPoint,
    SwapMeter,
)
from services.register.domain.decision import decide
from services.register.domain.net_user import RegisterNetUser, register_net_user
from services.register.domain.point import AccessPoint, fold, stream_of
from services.register.domain.refusals import NoSuchPoint, RegistrationRefused

__all__ = [
    "AccessPoint",
    "AddAllocationPoint",
    "AddSubHeadPoint",
    "CloseAccessPoint",
    "InstallMeter",
    "MoveIn",
    "MoveOut",
    "NoSuchPoint",
    "PointCommand",
    "RegisterAccessPoint",
    "RegisterNetUser",
    "RegistrationRefused",
    "SwapMeter",
    "decide",
    "fold",
    "register_net_user",
    "stream_of",
]

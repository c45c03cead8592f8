"""A browser is sent only where a registered root says: look-alikes do not begin with it."""

from __future__ import annotations

import pytest

from services.mandate.domain.addresses import InvalidAddress, is_below, parse_return_root

ROOTS = frozenset({"https://holder.example/", "https://other.example:8443/kwartier/"})


@pytest.mark.parametrize(
    "text",
    ["https://holder.example/", "https://holder.example:8443/a/b/", "https://xn--hlder-jua.example/"],
)
def test_a_root_is_https_and_ends_in_a_slash(text: str) -> None:
    assert parse_return_root(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://holder.example",
        "https://holder.example/back",
        "http://holder.example/",
        "http://127.0.0.1/",
        "https:///",
        "https://user@holder.example/",
        "https://HOLDER.example/",
        "https://holder.example/?a=/",
        "https://holder.example/#/",
        "https://holder.example/a/../",
        "https://holder.example/a/%2E%2e/",
        "https://holder.example\\@evil.example/",
        "https://holder.example/ /",
        "javascript:alert(1)//",
        "https://holder.example/" + "a" * 2000 + "/",
    ],
)
def test_anything_else_is_no_root(text: str) -> None:
    with pytest.raises(InvalidAddress, match="a return root"):
        parse_return_root(text)


@pytest.mark.parametrize("text", ["http://127.0.0.1:8400/back/", "http://localhost/", "http://[::1]:9/"])
def test_this_machine_is_a_root_only_where_it_may_be(text: str) -> None:
    assert parse_return_root(text, allows_loopback=True) == text
    with pytest.raises(InvalidAddress, match="https"):
        parse_return_root(text)


@pytest.mark.parametrize(
    "address",
    [
        "https://holder.example/",
        "https://holder.example/thanks?order=1&next=https://elsewhere.example/?x",
        "https://other.example:8443/kwartier/done",
    ],
)
def test_an_address_below_a_root_is_good(address: str) -> None:
    assert is_below(address, ROOTS)


@pytest.mark.parametrize(
    "address",
    [
        "https://holder.example",
        "https://holder.example.evil.example/",
        "https://holder.example@evil.example/",
        "http://holder.example/",
        "https://other.example:8443/",
        "https://other.example:8443/kwartier/../admin",
        "https://other.example:8443/kwartier/%2e%2E/admin",
        "https://holder.example/a\r\nSet-Cookie: x=y",
        "https://holder.example/a b",
        "https://holder.example/#fragment",
        "https://holder.example/\\evil.example",
        "https://holder.example/" + "a" * 2000,
        "//holder.example/",
        "",
    ],
)
def test_any_other_address_is_not(address: str) -> None:
    assert not is_below(address, ROOTS)

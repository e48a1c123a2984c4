"""The guard by itself, and in front of real sockets with a name server that lies."""

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.address_guard import BlockedAddressError, guarded_socket_factory, may_contact
from bot.feeds.fetcher import Fetcher
from bot.feeds.types import FetchError, FetchFailure, FetchLimits, FetchRequest
from tests.feed_server import FeedServer, Reply, rss

PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "172.32.0.1",
    "2606:4700::1111",
    "64:ff9b::101:101",
    "::ffff:1.1.1.1",
    "2002:101:101::1",
]
REFUSED = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "",
    "example.org",
    "1.2.3",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_contacted(address: str) -> None:
    assert may_contact(address)


@pytest.mark.parametrize("address", REFUSED)
def test_any_other_address_may_not(address: str) -> None:
    assert not may_contact(address)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.0/8"),
        ("fd00::5", "fd00::/8"),
        ("10.1.2.3", "10.1.2.3/32"),
    ],
)
def test_the_allow_list_opens_a_network_and_no_more(address: str, network: str) -> None:
    assert may_contact(address, [ip_network(network)])
    assert not may_contact("192.168.1.1", [ip_network(network)])


@given(st.ip_addresses())
def test_what_is_not_global_is_never_contacted(address: Any) -> None:
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert not may_contact(str(address))


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_in_ipv6_does_not_change_the_answer(address: Any) -> None:
    mapped = ip_address(int(ip_address("::ffff:0:0")) + int(address))
    nat64 = ip_address(int(ip_address("64:ff9b::")) + int(address))
    assert may_contact(str(mapped)) == may_contact(str(nat64)) == may_contact(str(address))


def test_a_refusal_names_the_address() -> None:
    with pytest.raises(BlockedAddressError, match=r"10\.0\.0\.1 is not a public address"):
        guarded_socket_factory(())((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80)))


def test_a_wrong_network_in_the_allow_list_is_an_error() -> None:
    with pytest.raises(ValueError, match="lan"):
        guarded_socket_factory(("lan",))


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Every look-up gets the next of `answers`, the last one for ever."""
    left = list(answers)

    def getaddrinfo(host: str, port: int, *args: object, **kwargs: object) -> list[Any]:
        addresses = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def outcome(url: str, *allow: str) -> FetchFailure | None:
    async with Fetcher(FetchLimits(allow_addresses=allow, connect_s=2)) as fetcher:
        try:
            await fetcher.fetch(FetchRequest(url))
        except FetchError as error:
            return error.failure
    return None


WAYS_TO_WRITE_LOOPBACK = [
    "127.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "localhost",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "１２７.0.0.1",
]


@pytest.mark.parametrize(
    "host",
    WAYS_TO_WRITE_LOOPBACK,
)
async def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    async with FeedServer() as server:
        url = server.url("/feed", host=host)
        assert await outcome(url) is FetchFailure.BLOCKED_ADDRESS
        assert server.seen == []


async def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ["10.0.0.1", "192.168.0.1", "fd00::1"])
    assert await outcome("http://feeds.example.org/feed") is FetchFailure.BLOCKED_ADDRESS


async def test_a_name_that_turns_private_between_two_looks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FeedServer() as server:
        server.script("/feed", Reply(rss(), status=302, headers={"Location": f"http://b.example:{server.port}/x"}))
        resolve_to(monkeypatch, ["127.0.0.1"], ["127.99.0.1"])
        url = server.url("/feed", host="a.example")
        assert await outcome(url, "127.0.0.1/32") is FetchFailure.BLOCKED_ADDRESS
        assert len(server.seen) == 1


async def test_the_good_address_of_a_mixed_answer_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FeedServer() as server:
        server.script("/feed", Reply(rss()))
        resolve_to(monkeypatch, ["fd00::1", "10.0.0.1", "127.0.0.1"])
        assert await outcome(server.url("/feed", host="a.example"), "127.0.0.1/32") is None


async def test_a_name_that_does_not_resolve_is_a_network_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: object, **kwargs: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert await outcome("http://nowhere.example/feed") is FetchFailure.NETWORK

"""Which addresses are on the public internet, and URLs without their credentials."""

from __future__ import annotations

import ipaddress

import pytest

from novacli.files.urls import USER_POLICY, UrlPolicy, mask_credentials

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.1.2", "169.254.169.254", "172.16.0.1",
    "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "203.0.113.5", "224.0.0.1", "239.1.2.3",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2001:10::1", "2002:7f00:1::1", "3fff::1",
    "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::200e"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_strict_policy_refuses_addresses_that_are_not_public(address: str) -> None:
    """Private, loopback, link-local, shared, multicast and reserved ranges, and IPv6 that carries IPv4."""
    assert not UrlPolicy().allows_address(address)
    assert USER_POLICY.allows_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_strict_policy_allows_public_addresses(address: str) -> None:
    assert UrlPolicy().allows_address(address)


def test_a_policy_can_name_further_address_ranges() -> None:
    policy = UrlPolicy(networks=(ipaddress.ip_network("10.1.0.0/16"),))
    assert policy.allows_address("10.1.2.3")
    assert not policy.allows_address("10.2.2.3")


def test_a_strict_policy_allows_the_usual_ports_of_any_host() -> None:
    assert UrlPolicy().allows_host("example.org", 443)
    assert not UrlPolicy().allows_host("example.org", 22)


def test_a_policy_can_name_the_only_hosts() -> None:
    policy = UrlPolicy(hosts=frozenset({"example.org"}))
    assert policy.allows_host("EXAMPLE.org", 80)
    assert not policy.allows_host("example.com", 80)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://h/x", "http://h/x"),
        ("https://u:p@h/x", "https://***@h/x"),
        ("https://u:p@q@h:80/x?a=1&api_key=abc&b=2", "https://***@h:80/x?a=1&api_key=***&b=2"),
        ("https://h/x?X-Amz-Signature=abc#f", "https://h/x?X-Amz-Signature=***#f"),
        ("https://h/mail@home?name=x@y", "https://h/mail@home?name=x@y"),
    ],
)
def test_user_password_and_secret_parameters_are_masked(url: str, masked: str) -> None:
    assert mask_credentials(url) == masked

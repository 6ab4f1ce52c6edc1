"""Policies on which servers a download may reach, and URLs without their credentials.

Each download has a ``UrlPolicy``.  The default is strict: it keeps a download on the public internet, for a server that
fetches URLs of strangers.  ``USER_POLICY`` is for a URL that the user of this machine typed.
"""

from __future__ import annotations

import ipaddress
import re

from solvehost.record import record

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_USERINFO = re.compile(r"//[^/?#]*@")
_SECRET_PARAMETERS = re.compile(
    r"(?<=[?&])([^=&#]*(?:token|key|secret|signature|sig|password|passwd|auth|session)[^=&#]*)=[^&#]*", re.IGNORECASE
)
#: Ranges that are not on the public internet, beside those that all versions of ``ipaddress`` know: protocol
#: assignments, and relays from IPv4 to 6to4.  Source: IANA IPv4 Special-Purpose Address Registry.
_SPECIAL_IPV4 = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24"))
#: The only block of IPv6 that is on the public internet.  IPv4-mapped and NAT64 addresses lie outside it.
#: Source: IANA IPv6 Address Space.
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
#: Parts of that block that are not: protocol assignments with Teredo, documentation (twice), and 6to4.
#: Source: IANA IPv6 Special-Purpose Address Registry.
_SPECIAL_IPV6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16")))


@record
class UrlPolicy:
    """Which servers a download may reach; it holds for the URL, for every redirect and for every name lookup.

    Attributes
    ----------
    schemes
        Allowed schemes: ``http``, ``https`` or both.
    hosts
        Allowed host names in lower case; None for any.
    ports
        Allowed ports; None for any.
    networks
        Address ranges that may be reached beside the public internet.
    uses_environment
        True to use the proxies and the ``.netrc`` that the environment names.  A proxy looks names up by itself, so
        that addresses behind it cannot be checked.
    """

    schemes: frozenset[str] = frozenset({"http", "https"})
    hosts: frozenset[str] | None = None
    ports: frozenset[int] | None = frozenset({80, 443})
    networks: tuple[Network, ...] = ()
    uses_environment: bool = False

    def allows_address(self, address: str) -> bool:
        """Return True if a numeric IP address, such as ``192.0.2.1``, may be reached."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        return _is_public(ip) or any(ip in network for network in self.networks)

    def allows_host(self, host: str, port: int) -> bool:
        """Return True if a host and a port may be asked, whatever the host's address is."""
        return (self.hosts is None or host.lower() in self.hosts) and (self.ports is None or port in self.ports)


#: For a URL that the user typed: any host, also in the user's own network.
USER_POLICY = UrlPolicy(
    ports=None,
    networks=(ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0")),
    uses_environment=True,
)


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in _PUBLIC_IPV6 and not any(ip in network for network in _SPECIAL_IPV6)
    is_special = ip.is_multicast or ip.is_reserved or any(ip in network for network in _SPECIAL_IPV4)
    return ip.is_global and not is_special


def mask_credentials(url: str) -> str:
    """Return ``url`` with ``user:password@`` and the values of parameters such as ``token=`` replaced by ``***``."""
    return _SECRET_PARAMETERS.sub(r"\1=***", _USERINFO.sub("//***@", url, count=1))

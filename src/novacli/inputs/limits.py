"""Limits on the size of an input and on the time of a download, checked before memory is used."""

from __future__ import annotations

from novacli.errors import DataError
from novacli.text.quantities import bytes_text
from solvehost.record import record

_GIB = 1024**3


@record
class Limits:
    """Bounds on an input.

    ``max_bytes`` holds for the file and for its unpacked content, ``max_pixels`` for width × height, ``max_stars`` for
    the rows of a source list.  ``fetch_connect_s`` bounds the wait for a connection and for the next bytes,
    ``fetch_total_s`` the whole download with name lookups and redirects, both in seconds.
    """

    max_bytes: int = 4 * _GIB
    max_pixels: int = 500_000_000
    max_stars: int = 1_000_000
    fetch_connect_s: float = 10.0
    fetch_total_s: float = 120.0
    fetch_redirects: int = 5

    def check_bytes(self, shown: str, size_bytes: int) -> None:
        """Raise ``DataError`` if ``size_bytes`` is above ``max_bytes``."""
        if size_bytes > self.max_bytes:
            limit = bytes_text(self.max_bytes)
            raise DataError(f"{shown} is larger than the limit of {limit} for a file (max_bytes): cut it down")

    def check_pixels(self, shown: str, width: int, height: int) -> None:
        """Raise ``DataError`` if an image of ``width`` × ``height`` pixels is above ``max_pixels``, or is empty."""
        if width < 1 or height < 1:
            raise DataError(f"{shown} holds an image of {width} x {height} pixels: there is nothing to solve")
        if width * height > self.max_pixels:
            raise DataError(
                f"{shown} has {width} x {height} pixels, above the limit of {self.max_pixels} (max_pixels): "
                "bin or crop it first"
            )

    def check_stars(self, shown: str, stars: int) -> None:
        """Raise ``DataError`` if a list of ``stars`` rows is above ``max_stars``."""
        if stars > self.max_stars:
            raise DataError(
                f"{shown} lists more than {self.max_stars} stars, the limit (max_stars): keep the brightest"
            )


DEFAULT_LIMITS = Limits()

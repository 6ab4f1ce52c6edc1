"""The formats: the test of a file's first bytes, and the module that reads it.

A new format is one module with ``read(source, options) -> Field`` and one line in ``FORMATS``.  The first match wins,
so that a format which looks like another comes before it (camera raw before TIFF), and text comes last.
"""

from __future__ import annotations

import importlib
import re
import struct
from collections.abc import Callable
from typing import Protocol, cast

from novacli.errors import DataError
from novacli.inputs.source import ReadOptions, Source
from novacli.records.field import Field
from solvehost.record import record

FITS_SUFFIXES = (".fits", ".fit", ".fts", ".fz")
_RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef"),
    *(".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srw", ".x3f"),
)
#: CR3, Fujifilm, Olympus (three byte orders), Panasonic, Minolta, Sigma.
_RAW_MAGICS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"FOVb")
_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TAG_DNG_VERSION = 50706
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
_PNM_GAP = rb"(?:\s|#[^\n]*\n)+"
#: A PGM, PPM or PFM begins with its type, width, height, and the largest value, or for PFM a scale whose sign gives the
#: byte order.  One white-space character separates these from the pixels.
PNM_HEADER = re.compile(
    rb"P([2356Ff])"
    + _PNM_GAP
    + rb"(\d{1,9})"
    + _PNM_GAP
    + rb"(\d{1,9})"
    + _PNM_GAP
    + rb"([-+]?\d{1,9}(?:\.\d{0,9})?)\s"
)
_TEXT_CONTROLS = b"\t\n\r\f\x1a"

Sniff = Callable[[bytes, str], bool]


class Reader(Protocol):
    """What a reader module provides."""

    def read(self, source: Source, options: ReadOptions) -> Field:
        """Return the field in ``source``."""


@record
class InputFormat:
    """A format: its name in results, its test of (first bytes, suffix), and its module in this package.

    Images in folders are found by ``suffixes``, in lower case.  Star lists have none, since most ``.txt`` and ``.json``
    files are something else.
    """

    word: str
    matches: Sniff
    module: str
    suffixes: tuple[str, ...] = ()

    def reader(self) -> Reader:
        """Import the module."""
        return cast("Reader", importlib.import_module(f"novacli.inputs.{self.module}"))


def _starts(*magics: bytes) -> Sniff:
    return lambda head, _suffix: head.startswith(magics)


def _is_webp(head: bytes, _suffix: str) -> bool:
    return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


def _is_bmp(head: bytes, _suffix: str) -> bool:
    return head.startswith(b"BM") and len(head) > 18 and struct.unpack_from("<I", head, 14)[0] in _BMP_HEADER_SIZES


def _is_pnm(head: bytes, _suffix: str) -> bool:
    return PNM_HEADER.match(head) is not None


def _is_camera_raw(head: bytes, suffix: str) -> bool:
    if head.startswith(_RAW_MAGICS) or head[4:12] == b"ftypcrx ":
        return True
    if not head.startswith(_TIFF_MAGICS):
        return False
    # Most camera raw files are TIFFs inside and have a suffix of their maker.
    return suffix in _RAW_SUFFIXES or head[8:10] == b"CR" or _has_tag(head, _TAG_DNG_VERSION)


def _has_tag(head: bytes, wanted: int) -> bool:
    """Return True if the first directory of a classic TIFF lies within ``head`` and has the tag ``wanted``."""
    order = "<" if head.startswith(b"II") else ">"
    try:
        (offset,) = struct.unpack_from(order + "I", head, 4)
        (entries,) = struct.unpack_from(order + "H", head, offset)
        tags = [struct.unpack_from(order + "H", head, offset + 2 + 12 * i)[0] for i in range(entries)]
    except struct.error:
        return False
    return wanted in tags


def _is_text(head: bytes, _suffix: str) -> bool:
    return not _is_markup(head) and not any(byte < 32 and byte not in _TEXT_CONTROLS for byte in head)


def _is_json(head: bytes, suffix: str) -> bool:
    return _is_text(head, suffix) and head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{")


def _is_markup(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


FORMATS: tuple[InputFormat, ...] = (
    InputFormat("FITS", _starts(b"SIMPLE", b"XTENSION"), "fits", FITS_SUFFIXES),
    InputFormat("JPEG", _starts(b"\xff\xd8\xff"), "raster", (".jpg", ".jpeg", ".jpe")),
    InputFormat("PNG", _starts(b"\x89PNG\r\n\x1a\n"), "raster", (".png",)),
    InputFormat("GIF", _starts(b"GIF87a", b"GIF89a"), "raster", (".gif",)),
    InputFormat("WebP", _is_webp, "raster", (".webp",)),
    InputFormat("BMP", _is_bmp, "raster", (".bmp",)),
    InputFormat("PNM", _is_pnm, "pnm", (".pgm", ".ppm", ".pnm", ".pfm")),
    InputFormat("raw", _is_camera_raw, "raw", _RAW_SUFFIXES),
    InputFormat("TIFF", _starts(*_TIFF_MAGICS), "tiff", (".tif", ".tiff")),
    InputFormat("XISF", _starts(b"XISF0100"), "xisf", (".xisf",)),
    InputFormat("JSON", _is_json, "starjson"),
    InputFormat("text", _is_text, "tables"),
)

#: Files of other kinds that users give: (offset, magic, description and remedy).
_REFUSED: tuple[tuple[int, bytes, str], ...] = (
    (257, b"ustar", "is a tar archive: unpack it first"),
    (0, b"7z\xbc\xaf", "is a 7z archive: unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "is packed with zstd: unpack it first"),
    *((0, magic, "is packed more than once: unpack it first") for magic in (b"\x1f\x8b", b"\x1f\x9d", b"BZh")),
    *((0, magic, "is packed more than once: unpack it first") for magic in (b"\xfd7zXZ", b"PK\x03\x04")),
    (4, b"ftyp", "is a HEIC or AVIF picture or a video: convert it to JPEG or PNG first"),
    (0, b"%PDF", "is a PDF document: export the picture from it first"),
    (0, b"LUCAM-RECORDER", "is a SER video: export one frame as FITS first"),
)


def choose(source: Source) -> InputFormat:
    """Return the format of ``source`` by its content; the suffix only decides between formats that look alike.

    Raises
    ------
    DataError
        It is none of ``FORMATS``; the message says what it is, if that is recognised.
    """
    for candidate in FORMATS:
        if candidate.matches(source.head, source.suffix):
            return candidate
    raise DataError(f"{source.shown} {_description(source)}")


def _description(source: Source) -> str:
    for offset, magic, words in _REFUSED:
        if source.head[offset:].startswith(magic):
            return words
    if _is_markup(source.head):
        page = b"<html" in source.head[:4096].lower() or b"<!doctype html" in source.head[:4096].lower()
        return f"is {'a web page (HTML)' if page else 'an XML document'}, not an image: get the image file itself"
    if source.suffix in FITS_SUFFIXES:
        return "is named like a FITS file but does not begin like one (SIMPLE): copy or export it again"
    known = ", ".join(known.word for known in FORMATS)
    return f"is neither an image nor a source list that nova can read: it reads {known}"

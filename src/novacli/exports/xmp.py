"""XMP packets with Astronomy Visualization Metadata: make one, or merge the metadata into an existing packet.

Sources: Adobe, "XMP Specification Part 1"; Astronomy Visualization Metadata (AVM) Standard, version 1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from novacli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from novacli.wcs.tansip import TanSip

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_META = "adobe:ns:meta/"
_AVM = "http://www.communicatingastronomy.org/avm/1.0/"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_EMPTY = f'<x:xmpmeta xmlns:x="{_META}"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
#: Metadata that this module writes; those of an earlier solution are replaced.
_OURS = ("Spatial.", "MetadataVersion")
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_END = '\n<?xpacket end="w"?>\n'


def avm_fields(tan: TanSip, remark: str | None) -> dict[str, str | Sequence[str]]:
    """Return the AVM fields of a linear solution, by their names without the prefix ``avm:``.

    Parameters
    ----------
    tan
        The solution; its rows count from the bottom of the displayed picture, as AVM has it.
    remark
        A clause about the solution for readers, such as on the distortion that is lost; None for none.
    """
    from novacli.exports.linear import scale_and_rotation

    scale, rotation_deg = scale_and_rotation(tan)
    fields: dict[str, str | Sequence[str]] = {
        "MetadataVersion": "1.2",
        "Spatial.CoordinateFrame": "ICRS",
        "Spatial.Equinox": "2000.0",
        "Spatial.CoordsystemProjection": "TAN",
        "Spatial.ReferenceValue": _texts(tan.crval),
        "Spatial.ReferenceDimension": _texts((float(tan.width), float(tan.height))),
        "Spatial.ReferencePixel": _texts(tan.crpix),
        "Spatial.Scale": _texts(scale),
        "Spatial.Rotation": repr(rotation_deg),
        "Spatial.CDMatrix": _texts((*tan.cd[0], *tan.cd[1])),
        "Spatial.Quality": "Full",
    }
    source = "World coordinates by nova with astrometry-engine (Astrometry.net)"
    fields["Spatial.Notes"] = source if remark is None else f"{source}; this description {remark}"
    return fields


def _texts(numbers: Sequence[float]) -> tuple[str, ...]:
    return tuple(map(repr, numbers))


def merged_packet(existing: bytes | None, fields: Mapping[str, str | Sequence[str]]) -> bytes:
    """Return an XMP packet with AVM fields.

    Parameters
    ----------
    existing
        A packet whose other metadata are kept; None for a new packet.
    fields
        The AVM fields; lists become ``rdf:Seq``, the form that every reader of AVM understands.

    Raises
    ------
    DataError
        If the existing packet cannot be understood; the message does not name the file.
    """
    document = _parse(_EMPTY.encode() if existing is None else existing)
    groups = document.getElementsByTagNameNS(_RDF, "RDF")
    if not groups:
        raise DataError("its XMP metadata have no rdf:RDF")
    group = groups[0]
    _remove_ours(group)
    group.appendChild(_description(document, group.tagName.removesuffix("RDF"), fields))
    content = "".join(node.toxml() for node in document.childNodes if node.nodeType == node.ELEMENT_NODE)
    return f"{_BEGIN}{content}{_END}".encode()


def _parse(packet: bytes) -> minidom.Document:
    text = packet.strip(b"\0 \t\r\n")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise DataError("its XMP metadata declare XML entities, which XMP does not have")
    try:
        return minidom.parseString(text)  # noqa: S318 - entities are refused above
    except (ExpatError, ValueError, LookupError) as exc:
        raise DataError(f"its XMP metadata cannot be understood ({exc})") from exc


def _is_ours(node: minidom.Node) -> bool:
    return node.namespaceURI == _AVM and (node.localName or "").startswith(_OURS)


def _remove_ours(group: minidom.Element) -> None:
    """Remove the AVM fields of an earlier solution, which stand as elements or as attributes."""
    for description in group.getElementsByTagNameNS(_RDF, "Description"):
        for child in [c for c in description.childNodes if c.nodeType == c.ELEMENT_NODE and _is_ours(c)]:
            description.removeChild(child)
        for attribute in [a for a in description.attributes.values() if _is_ours(a)]:
            description.removeAttributeNode(attribute)


def _description(document: minidom.Document, rdf: str, fields: Mapping[str, str | Sequence[str]]) -> minidom.Element:
    """Return an ``rdf:Description`` with the fields; ``rdf`` is what precedes RDF's names in the document."""
    element = document.createElementNS(_RDF, f"{rdf}Description")
    element.setAttributeNS(_RDF, f"{rdf}about", "")
    element.setAttributeNS(_XMLNS, "xmlns:avm", _AVM)
    for name, value in fields.items():
        child = element.appendChild(document.createElementNS(_AVM, f"avm:{name}"))
        if isinstance(value, str):
            child.appendChild(document.createTextNode(value))
            continue
        sequence = child.appendChild(document.createElementNS(_RDF, f"{rdf}Seq"))
        for item in value:
            entry = sequence.appendChild(document.createElementNS(_RDF, f"{rdf}li"))
            entry.appendChild(document.createTextNode(item))
    return element

"""A job → the star list and the fields of an upload.

The star list of the first attempt is sent in place of the picture: it is some sixty times smaller, and no pixel leaves
this machine.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from novacli.config import Config
from novacli.jobs.request import JobRequest, read_request
from novacli.records.params import SolveParams
from solvehost.formats import axy, fitsfile
from solvehost.formats.jobdir import JobDir
from solvehost.formats.star_table import table_bytes
from solvehost.record import record

#: For a range with an open lower end, arcsec per pixel.
_LEAST_ARCSEC = 1e-3
#: Sign of det(CD) → the API's number: 0 is solve-field's ``pos``, 1 its ``neg``, 2 stands for both.
_PARITIES = {None: 2, -1: 0, 1: 1}


@record
class UploadRequest:
    """What is uploaded for a job.

    Attributes
    ----------
    name
        The name of the file; equal uploads have the same one, and different ones have different names.
    content
        The star list, a FITS table.
    fields
        What goes into ``request-json``, without the session.
    """

    name: str
    content: bytes
    fields: dict[str, Any]

    @property
    def digest(self) -> str:
        """What identifies the upload, as hexadecimal text."""
        return self.name.removeprefix("nova-").removesuffix(".fits")


def upload_request(job: JobDir, config: Config) -> UploadRequest:
    """Return the upload for a job.

    Raises
    ------
    NovaError
        If its star list cannot be read.
    """
    attempt = axy.read(job.axy(1))
    cards: list[tuple[str, fitsfile.CardValue]] = [("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)]
    cards += [("IMAGEW", attempt.width), ("IMAGEH", attempt.height)]
    content = fitsfile.end_header([fitsfile.card(k, v) for k, v in cards]) + table_bytes(attempt.stars)
    request = read_request(job) or JobRequest()
    fields = {
        "publicly_visible": "y" if config["public"] else "n",
        "allow_modifications": "d",
        "allow_commercial_use": "d",
        "image_width": attempt.width,
        "image_height": attempt.height,
        **({} if request.params is None else _hints(request.params, attempt)),
    }
    digest = hashlib.sha256(content + json.dumps(fields, sort_keys=True).encode()).hexdigest()[:32]
    return UploadRequest(f"nova-{digest}.fits", content, fields)


def _hints(params: SolveParams, attempt: axy.Attempt) -> dict[str, Any]:
    """Return what the user stated, in the words of the API."""
    fields: dict[str, Any] = {"parity": _PARITIES[None if params.parity is None else params.parity.value]}
    if params.tweak_order is not None:
        fields["tweak_order"] = params.tweak_order
    if params.scale is not None:
        low, high = params.scale.arcsec_per_pixel(attempt.width)
        ends = {"scale_lower": low or _LEAST_ARCSEC, "scale_upper": high or axy.MAX_ARCSEC_PER_PIXEL}
        fields |= {"scale_units": "arcsecperpix", "scale_type": "ul", **ends}
    if params.position is not None:
        ra, dec, radius = params.position.ra_deg, params.position.dec_deg, params.position.radius_deg
        fields |= {"center_ra": ra, "center_dec": dec, "radius": radius}
    return fields

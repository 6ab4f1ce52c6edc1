"""State the celestial frame in a job's ``wcs.fits``, which the engine leaves to the reader's guess."""

from __future__ import annotations

import io

from novacli.errors import NovaError
from novacli.fits.celestial import states_frame, with_frame
from solvehost.formats import atomic, fitsfile, jobdir

_MAX_BYTES = 16 * 2**20


def state_frame(job: jobdir.JobDir) -> None:
    """Write RADESYS = 'ICRS' in place of EQUINOX into ``wcs.fits``, unless the file is damaged.

    A damaged file stays as it is, so that the reader of the solution reports what is wrong with it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        with job.wcs.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        header = fitsfile.read_header(io.BytesIO(content))
        if states_frame(header):  # as every solution that was fitted again
            return
        stated = with_frame(content[: header.size]) + content[header.size :]
    except (NovaError, OSError):
        return
    if len(content) <= _MAX_BYTES and stated != content:
        atomic.write_atomic(job.wcs, stated, durable=False)

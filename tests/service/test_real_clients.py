"""Clients that others wrote, unmodified, at a real service: upload to solution."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_service import Service

pytestmark = pytest.mark.engine

#: Each program gets the address of the service, a key and a picture.
ASTROQUERY = """
import sys, warnings
from astroquery.astrometry_net import AstrometryNet
url, key, picture = sys.argv[1:]
client = AstrometryNet()
client.URL, client.API_URL, client.api_key = url, url + "/api", key
warnings.simplefilter("ignore")
options = {"publicly_visible": "n", "solve_timeout": 60, "verbose": False}
header = client.solve_from_image(picture, force_image_upload=True, **options)
print(header["CRVAL1"], header["CRVAL2"])
"""
ASTROQUERY_STARS = """
import sys
from astroquery.astrometry_net import AstrometryNet
from novacli import solve
url, key, picture = sys.argv[1:]
client = AstrometryNet()
client.URL, client.API_URL, client.api_key = url, url + "/api", key
stars = solve(picture).sources
x, y = (stars[name].value for name in ("x", "y"))
header = client.solve_from_source_list(x, y, 1024, 768, solve_timeout=60, verbose=False)
print(header["CRVAL1"], header["CRVAL2"])
"""
ASTROMETRY_NET_CLIENT = """
import inspect, sys
import astrometry_net_client.session, astrometry_net_client.statusables, astrometry_net_client.uploads
from astrometry_net_client import FileUpload, Session
url, key, picture = sys.argv[1:]
# The package has no setting for the address: it is an attribute of each class.
for module in vars(astrometry_net_client).values():
    for _, found in inspect.getmembers(module, inspect.isclass):
        for name, value in list(vars(found).items()):
            if isinstance(value, str) and value.startswith("http://nova.astrometry.net"):
                setattr(found, name, value.replace("http://nova.astrometry.net", url))
submission = FileUpload(picture, session=Session(api_key=key)).submit()
submission.until_done()
job = submission.jobs[0]
job.until_done()
header = job.wcs_file()
print(header["CRVAL1"], header["CRVAL2"])
"""


@pytest.mark.parametrize("program", [ASTROQUERY, ASTROQUERY_STARS, ASTROMETRY_NET_CLIENT])
def test_an_unmodified_client_gets_the_solution(
    service: Service, drawn_sky: Path, tmp_path: Path, program: str
) -> None:
    # astroquery keeps files by their addresses, so each run has a folder of its own for them.
    folders = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    words = [sys.executable, "-c", program, service.url, service.key, str(drawn_sky)]
    ran = subprocess.run(words, env={**os.environ, **folders}, capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stderr
    ra, dec = (float(word) for word in ran.stdout.split()[-2:])
    assert (ra, dec) == pytest.approx((84.0, -3.0), abs=0.01)

"""What the web process loads: it parses no picture, so it needs none of the packages that do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = "import sys, novaweb.wsgi, novaweb.urls; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def test_the_web_process_loads_no_reader_of_pictures(tmp_path: Path) -> None:
    env = {**os.environ, "NOVAWEB_DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "novaweb.settings"}
    ran = subprocess.run([sys.executable, "-c", _PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert not {"numpy", "astropy", "fitsio", "sep", "PIL", "imagecodecs", "tifffile"} & set(ran.stdout.split())


@pytest.mark.parametrize("path", ["healthz", "readyz"])
def test_pages_for_programs_that_watch(client_at, path: str) -> None:
    answer = client_at("192.0.2.1").get(path)
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, "text/plain")


def test_a_database_that_cannot_be_used_is_not_ready(client_at) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE submissions_job RENAME TO gone")
    assert client_at("192.0.2.1").get("readyz").status_code == 503

"""Django's settings for tests: as the service has them, with data in a folder that is removed.

``NOVA_TEST_DATABASE`` names a PostgreSQL server on which the tests make their database; without it they use SQLite.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_FOLDER = tempfile.mkdtemp(prefix="novaweb-tests-")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith("NOVAWEB_")]:
    del os.environ[_name]
_DATABASE = os.environ.get("NOVA_TEST_DATABASE", "sqlite")
os.environ.update(NOVAWEB_DATA=_FOLDER, NOVAWEB_CONFIG=os.devnull, NOVAWEB_DATABASE=_DATABASE)

from novaweb.settings import *  # noqa: E402, F403

for _name in ("NOVAWEB_CONFIG", "NOVAWEB_DATABASE"):
    os.environ.pop(_name)

if _DATABASE == "sqlite":
    # A file, because threads cannot share a database in memory as the service's processes share its file.
    DATABASES["default"]["TEST"] = {"NAME": f"{_FOLDER}/test.sqlite3"}  # noqa: F405

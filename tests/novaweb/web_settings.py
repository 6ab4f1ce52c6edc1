"""Django's settings for tests and the type checker: as the service has them, with data in a folder that is removed."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_FOLDER = tempfile.mkdtemp(prefix="novaweb-tests-")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith("NOVAWEB_")]:
    del os.environ[_name]
os.environ.update(NOVAWEB_DATA=_FOLDER, NOVAWEB_CONFIG=os.devnull)

from novaweb.settings import *  # noqa: E402, F403

os.environ.pop("NOVAWEB_CONFIG")

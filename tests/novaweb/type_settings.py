"""Django's settings for the type checker, which ends without cleaning up: the data are beside its cache."""

from __future__ import annotations

import os

os.environ.update(NOVAWEB_DATA=".mypy_cache/novaweb", NOVAWEB_CONFIG=os.devnull)

from novaweb.settings import *  # noqa: F403

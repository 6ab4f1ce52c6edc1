"""The command line of the web service, ``nova-web``."""

from __future__ import annotations

"""The commands of ``nova-web``, one file each, named after the command; ``novaweb.cli.main`` lists them."""

from __future__ import annotations

"""The files of a job: WCS, tables of stars, and the engine's log."""

from __future__ import annotations

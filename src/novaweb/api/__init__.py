"""The API of nova.astrometry.net, one module for each group of endpoints."""

from __future__ import annotations

"""Users, their API keys, and the sessions that clients open with a key."""

from __future__ import annotations

"""Settings of the web service: environment > web.toml > default; each value knows where it came from.

Every key is defined once, in ``KEYS``.  The settings of solving itself (engine, index files, time limit) are those of
``nova``, see :mod:`novacli.config`.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from novacli.config import Config, Key, parse_count, parse_flag, parse_path, parse_positive, parse_text, read_settings
from novacli.files.urls import Network

#: The database that needs no server, in the folder of the data.
SQLITE = "sqlite"
_DEFAULT_SITE_URL = "http://127.0.0.1:8764"
#: Who can make an account at the pages: no one, those whom an administrator approves, everyone.
CLOSED, APPROVAL, OPEN = "closed", "approval", "open"


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError as exc:
        raise ValueError("its port must be a number from 0 to 65535") from exc
    return parts


def _database(value: Any) -> str:
    text = parse_text(value)
    if text != SQLITE and _split(text).scheme not in ("postgresql", "postgres"):
        raise ValueError("it must be sqlite, or the URL of a PostgreSQL database such as postgresql:///nova")
    return text


def _url(value: Any) -> str:
    text = parse_text(value).rstrip("/")
    parts = _split(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"it must be a URL such as {_DEFAULT_SITE_URL}")
    return text


def _sign_up(value: Any) -> str:
    text = parse_text(value)
    if text not in (CLOSED, APPROVAL, OPEN):
        raise ValueError(f"it must be {CLOSED}, {APPROVAL} or {OPEN}")
    return text


def networks_of(text: str | None) -> tuple[Network, ...]:
    """Return the address ranges in a text such as ``10.0.0.0/8,192.168.0.0/16``; none for None."""
    return tuple(ipaddress.ip_network(word.strip()) for word in (text or "").split(",") if word.strip())


def _networks(value: Any) -> str:
    text = parse_text(value)
    try:
        networks_of(text)
    except ValueError as exc:
        raise ValueError("it must be address ranges such as 10.0.0.0/8,192.168.0.0/16") from exc
    return text


KEYS = (
    Key("data_dir", "NOVAWEB_DATA", parse_path, lambda folders: folders.data / "web",
        "the folder of uploads and job directories, and of the database if it is sqlite"),
    Key("database", "NOVAWEB_DATABASE", _database, lambda _: SQLITE,
        "sqlite, or the URL of a PostgreSQL database, such as postgresql:///nova"),
    Key("site_url", "NOVAWEB_SITE_URL", _url, lambda _: _DEFAULT_SITE_URL,
        "the URL at which people and clients reach the service"),
    Key("secret_key_file", "NOVAWEB_SECRET_KEY_FILE", parse_path, lambda _: None,
        "the file of the secret key; by default one is made in data_dir"),
    Key("anonymous", "NOVAWEB_ANONYMOUS", parse_flag, lambda _: True,
        "true if uploads with the anonymous API key are accepted"),
    Key("sign_up", "NOVAWEB_SIGN_UP", _sign_up, lambda _: CLOSED,
        "who can make an account at the pages: closed (no one), approval (an administrator approves it), or open"),
    Key("max_upload_mb", "NOVAWEB_MAX_UPLOAD_MB", parse_count, lambda _: 512, "the largest upload, in megabytes"),
    Key("max_queued", "NOVAWEB_MAX_QUEUED", parse_count, lambda _: 200,
        "how many jobs of one user, or of one address without an account, may wait or run"),
    Key("unlisted_hours", "NOVAWEB_UNLISTED_HOURS", parse_positive, lambda _: 24.0,
        "for how many hours the address of an upload may read it by its number, if it is unlisted"),
    Key("fetch_networks", "NOVAWEB_FETCH_NETWORKS", _networks, lambda _: None,
        "address ranges beside the public internet from which URLs may be fetched, such as 10.0.0.0/8,192.168.0.0/16"),
    Key("trusted_proxy", "NOVAWEB_TRUSTED_PROXY", parse_text, lambda _: None,
        "the address of a proxy, such as 127.0.0.1, that states the addresses of clients in X-Forwarded-For"),
    Key("to", "NOVAWEB_TO", parse_text, lambda _: "local", "where pictures are solved, as nova submit --to takes it"),
)  # fmt: skip


def load(env: Mapping[str, str] | None = None) -> Config:
    """Read the settings of the web service.

    Parameters
    ----------
    env
        Environment variables; those of the process by default.

    Raises
    ------
    ConfigError
        If web.toml cannot be read, has an unknown key or a wrong value.
    """
    env = os.environ if env is None else env
    return read_settings(KEYS, env, "NOVAWEB_CONFIG", "web.toml", "nova-web config")


def django_database(config: Config) -> dict[str, Any]:
    """Return Django's settings of the database."""
    if config["database"] == SQLITE:
        return _sqlite(config["data_dir"])
    return _postgresql(urlsplit(config["database"]))


def _sqlite(data_dir: Path) -> dict[str, Any]:
    """Return the settings of SQLite.

    Without IMMEDIATE and WAL, half of the writes of a busy service fail with "database is locked".
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": data_dir / "web.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _postgresql(url: SplitResult) -> dict[str, Any]:
    """Return the settings of PostgreSQL; the query of the URL has options, as ``?host=/run/postgresql&user=nova``."""
    options = dict(parse_qsl(url.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": options.pop("user", url.username or ""),
        "PASSWORD": url.password or "",
        "HOST": options.pop("host", url.hostname or ""),
        "PORT": url.port or "",
        "OPTIONS": options,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }

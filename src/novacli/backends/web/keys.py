"""API keys of web services: from the environment, from a file that the user names, or from ``keys.json``.

``keys.json`` lies beside ``config.toml``, and only its owner can read it; ``nova login`` writes it.  A key is sent to
the service that it belongs to, and appears nowhere else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from novacli.backends.web.services import Service, resolve
from novacli.config import Config
from novacli.errors import ConfigError, DeniedError, OutputError
from novacli.files.atomic import write_file

#: The environment variable with a key, which is sent to any service.
VARIABLE = "NOVA_API_KEY"
_FILE = "keys.json"
_MAX_CHARS = 256
_OTHERS_MAY_READ = 0o077


def keys_file(config: Config) -> Path:
    """Return the path of ``keys.json``."""
    return config.file.with_name(_FILE)


def find_key(service: Service, config: Config) -> str:
    """Return the API key for a service.

    Raises
    ------
    DeniedError
        If there is none.
    ConfigError
        If a file of keys cannot be read.
    """
    named = config["api_key_file"]
    key = os.environ.get(VARIABLE) or (_read(named) if named is not None else _stored(config).get(service.url))
    if not key:
        raise DeniedError(f"{service.name}: there is no API key for it: run nova login {service.name}")
    return check_key(key)


def check_key(text: str) -> str:
    """Return an API key without spaces around it; raise ConfigError if it cannot be one, without showing it."""
    key = text.strip()
    if not key or len(key) > _MAX_CHARS or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError("the API key is not one: it is one word of letters and digits")
    return key


def ask_and_store(place: str, config: Config, ask: Callable[[str], str], *, is_checked: bool) -> Path:
    """Keep the key that ``ask`` returns; see :func:`novacli.backends.login`."""
    from novacli.backends.hosts import read_hosts
    from novacli.backends.web.client import ApiClient

    service = resolve(place, read_hosts(config))
    key = check_key(ask(service.url))
    if is_checked:
        ApiClient(service, lambda: key).login()
    return store_key(service, key, config)


def store_key(service: Service, key: str, config: Config) -> Path:
    """Store the key of a service in ``keys.json``, and return the path.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = keys_file(config)
    content = json.dumps({**_stored(config), service.url: check_key(key)}, indent=1) + "\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{path.parent}: {exc.strerror}: the key cannot be kept there") from exc
    write_file(path, content.encode(), mode=0o600)
    return path


def _stored(config: Config) -> dict[str, str]:
    path = keys_file(config)
    if not path.exists():
        return {}
    try:
        value = json.loads(_read(path))
    except ValueError as exc:
        raise ConfigError(f"{path}: it is no JSON: run nova login again, after you have moved it away") from exc
    return {str(url): str(key) for url, key in value.items()} if isinstance(value, dict) else {}


def _read(path: Path) -> str:
    """Return the text of a file that only its owner can read."""
    try:
        if path.stat().st_mode & _OTHERS_MAY_READ:
            raise ConfigError(f"{path}: other users can read this file: run chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is no text"
        raise ConfigError(f"{path}: {reason}: name the file with the API key") from exc

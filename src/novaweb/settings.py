"""Django's settings, derived from :mod:`novaweb.config`; nothing else is set here."""

from __future__ import annotations

from urllib.parse import urlsplit

from novaweb import config, folders

NOVAWEB = config.load()
_site = urlsplit(NOVAWEB["site_url"])

folders.of(NOVAWEB).make()
SECRET_KEY = folders.secret_key(NOVAWEB)
DEBUG = False
ALLOWED_HOSTS = sorted({_site.hostname or "", "127.0.0.1", "localhost", "[::1]"})
ROOT_URLCONF = "novaweb.urls"
WSGI_APPLICATION = "novaweb.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "novaweb.accounts",
    "novaweb.submissions",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",  # refuses other hosts, and states the length of a reply
    "novaweb.api.errors.DatabaseErrors",
]
# Without this, Django would keep the traceback of a fault to itself.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {name: {"handlers": ["stderr"], "level": "ERROR"} for name in ("django.request", "novaweb")},
}
TEMPLATES: list[dict[str, object]] = []
AUTH_USER_MODEL = "accounts.User"
DATABASES = {"default": config.django_database(NOVAWEB)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
# Clients send their requests with and without the slash; a redirect would turn their POST into a GET.
APPEND_SLASH = False
# A list of 100,000 stars in request-json has about 3 MB.
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 2**20
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
FILE_UPLOAD_TEMP_DIR = str(folders.of(NOVAWEB).spool)
FILE_UPLOAD_PERMISSIONS = 0o600

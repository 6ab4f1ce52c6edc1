"""Django's settings, derived from :mod:`novaweb.config`; nothing else is set here."""

from __future__ import annotations

import datetime
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
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "novaweb.accounts",
    "novaweb.submissions",
    "novaweb.pages",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",  # refuses other hosts, and states the length of a reply
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "novaweb.api.errors.DatabaseErrors",
]
# Without this, Django would keep the traceback of a fault to itself.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {name: {"handlers": ["stderr"], "level": "ERROR"} for name in ("django.request", "novaweb")},
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
STATIC_URL = "/static/"
# The files are sent from the package, so that nothing has to be collected after an installation.
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
# The session of a person at the pages, which is not a session of the API.
SESSION_COOKIE_NAME = "novaweb_pages"
CSRF_COOKIE_NAME = "novaweb_form"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _site.scheme == "https"
CSRF_TRUSTED_ORIGINS = [f"{_site.scheme}://{_site.netloc}"]
CSRF_FAILURE_VIEW = "novaweb.pages.errors.csrf"
LOGIN_URL = "sign-in"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
# Wrong passwords are counted in memory, so that no network address is stored.
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = datetime.timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "novaweb.pages.account.too_many_attempts"
# Each process counts for itself; nova-web serve is one process.
SILENCED_SYSTEM_CHECKS = ["axes.W001"]
AXES_VERBOSE = AXES_ENABLE_ADMIN = False
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

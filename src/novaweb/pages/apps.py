"""Django's entry for the templates and the static files of the pages."""

from __future__ import annotations

from django.apps import AppConfig


class PagesConfig(AppConfig):
    """The pages; they have no tables."""

    name = "novaweb.pages"

"""The Django application of submissions."""

from __future__ import annotations

from django.apps import AppConfig


class SubmissionsConfig(AppConfig):
    """Submissions."""

    name = "novaweb.submissions"
    label = "submissions"

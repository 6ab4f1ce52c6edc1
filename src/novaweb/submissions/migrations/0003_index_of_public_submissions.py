"""Add an index of the public submissions, for their list."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """The change."""

    dependencies: ClassVar = [("submissions", "0002_urls_and_archives")]
    operations: ClassVar = [
        migrations.AddIndex(
            "submission",
            models.Index(fields=["-id"], condition=Q(visibility="p", deleted=None), name="submission_public"),
        ),
    ]

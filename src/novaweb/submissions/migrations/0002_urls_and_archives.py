"""Give submissions a URL, and images a content of their own: an archive has several."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def _copy(apps: Any, schema_editor: Any) -> None:
    """Give each image the content of its submission, which was the only one."""
    del schema_editor
    image, submission = (apps.get_model("submissions", name) for name in ("UserImage", "Submission"))
    content = submission.objects.filter(pk=OuterRef("submission_id")).values("blob_id")[:1]
    image.objects.update(blob_id=Subquery(content))


def _blob() -> Any:
    return models.ForeignKey(null=True, on_delete=models.PROTECT, to="submissions.blob")


class Migration(migrations.Migration):
    """The change."""

    dependencies: ClassVar = [("submissions", "0001_initial")]
    operations: ClassVar = [
        migrations.AddField("submission", "url", models.CharField(blank=True, max_length=2000)),
        migrations.AddField("userimage", "blob", _blob()),
        migrations.AlterField("submission", "blob", _blob()),
        migrations.RunPython(_copy, migrations.RunPython.noop),
    ]

"""Make the users ``machine`` and ``anonymous``, and begin the numbers of people at 1000, as upstream does."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.hashers import make_password
from django.db import migrations

_PEOPLE_FROM = 1000


def _make(apps: Any, schema_editor: Any) -> None:
    user = apps.get_model("accounts", "User")
    for number, name in ((0, "machine"), (1, "anonymous")):
        user.objects.create(pk=number, username=name, password=make_password(None))
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = 'accounts_user'", [_PEOPLE_FROM - 1])
    else:
        sequence = "pg_get_serial_sequence('accounts_user', 'id')"
        schema_editor.execute(f"SELECT setval({sequence}, %s, false)", [_PEOPLE_FROM])


class Migration(migrations.Migration):
    """The change."""

    dependencies: ClassVar = [("accounts", "0001_initial")]
    operations: ClassVar = [migrations.RunPython(_make, migrations.RunPython.noop)]

"""Take an upload: store its content, make its rows, and put its job into the queue."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.db import transaction

from novacli.errors import RetryLaterError
from novacli.records.params import SolveParams
from novaweb.accounts.models import User
from novaweb.queue import queue
from novaweb.submissions import blobs
from novaweb.submissions.models import Submission, UserImage, Viewer
from solvehost.record import record

_MAX_NAME = 255


@record
class Upload:
    """An upload as it came in.

    Attributes
    ----------
    name
        The name that the client gave; only shown, never used as a path.
    chunks
        The content.
    params
        What the solve is asked for.
    visibility
        One of :class:`~novaweb.submissions.models.Visibility`.
    licence
        The client's words about the use of the picture.
    """

    name: str
    chunks: Iterable[bytes]
    params: SolveParams
    visibility: str
    licence: dict[str, str]


def receive(user: User, viewer: Viewer, upload: Upload) -> Submission:
    """Store an upload and queue its job; the job has its number at once, since clients give up without one.

    Raises
    ------
    RetryLaterError
        If the user has too many jobs in the queue.
    OutputError
        If the content cannot be stored.
    """
    key = str(user.pk) if user.is_person else viewer.address_digest
    if queue.unfinished(key) >= settings.NOVAWEB["max_queued"]:
        raise RetryLaterError(
            f"{settings.NOVAWEB['max_queued']} of your jobs wait or run: try again when some are done"
        )
    blob = blobs.store(upload.chunks)
    name = shown(upload.name)
    with transaction.atomic():
        submission = Submission.objects.create(
            user=user,
            blob=blob,
            original_filename=name,
            visibility=upload.visibility,
            params=upload.params.to_json(),
            licence=upload.licence,
            address_digest=viewer.address_digest,
        )
        image = UserImage.objects.create(submission=submission, original_name=name)
        queue.add(image, user, key)
    return submission


def shown(name: str) -> str:
    """Return the last part of a client's file name, without control characters, or ``upload`` if nothing is left."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:_MAX_NAME].strip() or "upload"

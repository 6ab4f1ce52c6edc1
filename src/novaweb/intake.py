"""Take uploads: store the content, make the rows, and put the jobs into the queue."""

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
        The parameters of the solve.
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
    key = _queue_key(user, viewer)
    submission = Submission(
        user=user,
        blob=blobs.store(upload.chunks),
        original_filename=shown(upload.name),
        visibility=upload.visibility,
        params=upload.params.to_json(),
        licence=upload.licence,
        address_digest=viewer.address_digest,
    )
    return _queued(submission, key)


def solve_again(user: User, viewer: Viewer, earlier: Submission, params: SolveParams, visibility: str) -> Submission:
    """Make a submission of the content of an earlier one, with other parameters, and queue its job.

    Parameters
    ----------
    user
        The owner of the new submission.
    viewer
        The viewer who asks for it.
    earlier
        The submission that was solved, or not solved, before.
    params
        The parameters of the new solve.
    visibility
        One of :class:`~novaweb.submissions.models.Visibility`.

    Raises
    ------
    RetryLaterError
        If the user has too many jobs in the queue.
    """
    key = _queue_key(user, viewer)
    submission = Submission(
        user=user,
        blob=earlier.blob,
        original_filename=earlier.original_filename,
        visibility=visibility,
        params=params.to_json(),
        licence=earlier.licence,
        address_digest=viewer.address_digest,
    )
    return _queued(submission, key)


def _queue_key(user: User, viewer: Viewer) -> str:
    """Return the key under which a user's jobs take turns; raise RetryLaterError if it has too many."""
    key = str(user.pk) if user.is_person else viewer.address_digest
    if queue.unfinished(key) >= settings.NOVAWEB["max_queued"]:
        raise RetryLaterError(
            f"{settings.NOVAWEB['max_queued']} of your jobs wait or run: try again when some are done"
        )
    return key


def _queued(submission: Submission, key: str) -> Submission:
    """Store a submission with its image and its job."""
    with transaction.atomic():
        submission.save()
        image = UserImage.objects.create(submission=submission, original_name=submission.original_filename)
        queue.add(image, submission.user, key)
    return submission


def shown(name: str) -> str:
    """Return the last part of a client's file name, without control characters, or ``upload`` if nothing is left."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:_MAX_NAME].strip() or "upload"

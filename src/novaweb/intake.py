"""Take uploads: store the content, make the rows, and put the jobs into the queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from django.conf import settings
from django.db import transaction

from novacli.errors import RetryLaterError
from novacli.files.urls import mask_credentials
from novacli.records.params import SolveParams
from novaweb import archives, folders
from novaweb.accounts.models import User
from novaweb.queue import queue
from novaweb.submissions import blobs
from novaweb.submissions.models import Blob, Job, Submission, UserImage, Viewer
from solvehost.record import record

_MAX_NAME = 255
_MEGABYTE = 10**6


@record
class Upload:
    """An upload as it came in.

    Attributes
    ----------
    name
        The name that the client gave; only shown, never used as a path.
    chunks
        The content; None if a worker fetches it from ``url``.
    params
        The parameters of the solve.
    visibility
        One of :class:`~novaweb.submissions.models.Visibility`.
    licence
        The client's words about the use of the picture.
    url
        The URL of the content, empty if it was sent.
    """

    name: str
    chunks: Iterable[bytes] | None
    params: SolveParams
    visibility: str
    licence: dict[str, str]
    url: str = ""


def receive(user: User, viewer: Viewer, upload: Upload) -> Submission:
    """Store an upload and queue its jobs; they have their numbers at once, since clients give up without one.

    Raises
    ------
    RetryLaterError
        If the user has too many jobs in the queue.
    OutputError
        If the content cannot be stored.
    DataError
        If it is an archive that cannot be read.
    """
    key = _queue_key(user, viewer, 1)
    blob = None if upload.chunks is None else blobs.store(upload.chunks)
    submission = Submission(
        user=user,
        blob=blob,
        url=upload.url,
        original_filename=display_name(upload.name),
        visibility=upload.visibility,
        params=upload.params.to_json(),
        licence=upload.licence,
        address_digest=viewer.address_digest,
    )
    images = _images_of(submission.original_filename, blob)
    if len(images) > 1:
        _queue_key(user, viewer, len(images))
    return _queued(submission, images, key)


def solve_again(user: User, viewer: Viewer, earlier: UserImage, params: SolveParams, visibility: str) -> Submission:
    """Make a submission of an image that was uploaded before, with other parameters, and queue its job.

    Parameters
    ----------
    user
        The owner of the new submission.
    viewer
        The viewer who asks for it.
    earlier
        The image.
    params
        The parameters of the new solve.
    visibility
        One of :class:`~novaweb.submissions.models.Visibility`.

    Raises
    ------
    RetryLaterError
        If the user has too many jobs in the queue.
    """
    key = _queue_key(user, viewer, 1)
    submission = Submission(
        user=user,
        blob=earlier.blob,
        url=earlier.submission.url if earlier.blob is None else "",
        original_filename=earlier.original_name,
        visibility=visibility,
        params=params.to_json(),
        licence=earlier.submission.licence,
        address_digest=viewer.address_digest,
    )
    return _queued(submission, [(earlier.original_name, earlier.blob)], key)


def complete(submission: Submission, chunks: Iterable[bytes]) -> None:
    """Store the content of a submission whose URL was fetched; an archive gets an image and a job for each file.

    Raises
    ------
    OutputError
        If the content cannot be stored.
    DataError
        If it is an archive that cannot be read.
    """
    if submission.blob is not None:  # it was stored before the database failed
        return
    blob = blobs.store(chunks)
    first, *others = _images_of(submission.original_filename, blob)
    with transaction.atomic():
        Submission.objects.filter(pk=submission.pk).update(blob=blob, url=mask_credentials(submission.url))
        UserImage.objects.filter(submission=submission).update(original_name=first[0], blob=first[1])
        _queue_images(submission, others, Job.objects.filter(image__submission=submission).earliest("pk").queue_key)


def _queue_key(user: User, viewer: Viewer, count: int) -> str:
    """Return the key under which a user's jobs take turns.

    Raises
    ------
    RetryLaterError
        If ``count`` more jobs would be too many.
    """
    key, most = str(user.pk) if user.is_person else viewer.address_digest, settings.NOVAWEB["max_queued"]
    if queue.unfinished(key) + count > most:
        raise RetryLaterError(f"{most} of your jobs wait or run: try again when some are done")
    return key


def _images_of(name: str, blob: Blob | None) -> list[tuple[str, Blob | None]]:
    """Return (name, content) of each image of an upload: several if it is an archive."""
    if blob is None:
        return [(name, None)]
    most_bytes = settings.NOVAWEB["max_upload_mb"] * _MEGABYTE
    path = folders.of(settings.NOVAWEB).blob(blob.sha256)
    files = [(display_name(member), blobs.store(chunks)) for member, chunks in archives.members(path, most_bytes)]
    return [*files] or [(name, blob)]


def _queued(submission: Submission, images: Sequence[tuple[str, Blob | None]], key: str) -> Submission:
    """Store a submission with its images and their jobs."""
    with transaction.atomic():
        submission.save()
        _queue_images(submission, images, key)
    return submission


def _queue_images(submission: Submission, images: Iterable[tuple[str, Blob | None]], key: str) -> None:
    for name, blob in images:
        image = UserImage.objects.create(submission=submission, original_name=name, blob=blob)
        queue.add(image, submission.user, key)


def name_of(url: str) -> str:
    """Return the name of the file at a URL."""
    path = url.partition("?")[0].partition("#")[0]
    return display_name(unquote(path.partition("://")[2].partition("/")[2]))


def display_name(name: str) -> str:
    """Return the last part of a client's file name, without control characters, or ``upload`` if nothing is left."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:_MAX_NAME].strip() or "upload"

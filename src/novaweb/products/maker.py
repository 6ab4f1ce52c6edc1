"""Have child processes make products: some at a time, each within a time limit."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

from django.conf import settings

from novacli.batch.children.child import ChildProcess
from novacli.batch.executors import TaskHungError, WorkerLostError
from novacli.errors import NotSolvedError, NovaError, RetryLaterError
from novaweb import folders
from novaweb.products.registry import Product
from novaweb.submissions.models import Job, JobState

_ENTRY = "novaweb.products.making:make"
_CHILDREN = 2
#: A product takes at most this long, and a request waits at most this long for it and for those before it.
_LIMIT_S, _WAIT_S = 60.0, 90.0
#: A process without work ends after this time.
_IDLE_S = 300.0
_FOLDER = "products"


class Maker:
    """Makes products with child processes, which are started when they are needed."""

    def __init__(self) -> None:
        # A child process ends with the thread that started it, so the threads of requests start none.
        self._threads = ThreadPoolExecutor(_CHILDREN, thread_name_prefix="products")
        self._local = threading.local()

    def path_of(self, product: Product, job: Path, image: Path) -> Path:
        """Return the path of a product of a solved job; make it if it is missing.

        Parameters
        ----------
        product
            The product.
        job
            The job directory.
        image
            The uploaded image or star list.

        Raises
        ------
        NotSolvedError
            If the product cannot be made of this job.
        RetryLaterError
            If too many products are being made.
        """
        path = job / _FOLDER / product.file
        if path.is_file():
            return path
        future = self._threads.submit(self._make, product, job, image)
        try:
            problem = future.result(_WAIT_S)
        except FutureTimeoutError:
            future.cancel()
            raise RetryLaterError("too many pictures are being made: try again in a minute") from None
        except (WorkerLostError, TaskHungError, NovaError) as exc:
            raise NotSolvedError(f"it cannot be made: {exc}") from exc
        if problem or not path.is_file():
            raise NotSolvedError(problem or "it cannot be made")
        return path

    def _make(self, product: Product, job: Path, image: Path) -> str:
        if (job / _FOLDER / product.file).is_file():  # made while this request waited
            return ""
        if not hasattr(self._local, "child"):
            self._local.child = ChildProcess(_ENTRY, idle_s=_IDLE_S)
        problem: str = self._local.child.ask(product, str(job), str(image), str(job / _FOLDER), limit_s=_LIMIT_S)
        return problem


_MAKER = Maker()


def product_of(product: Product, job: Job) -> Path:
    """Return the path of a product of a job of the service; raises as :meth:`Maker.path_of`."""
    if job.state != JobState.SOLVED or not job.directory:
        raise NotSolvedError("it is not solved")
    places = folders.of(settings.NOVAWEB)
    if job.image.blob is None:
        raise NotSolvedError("it is not solved")
    image = places.blob(job.image.blob.sha256)
    try:
        return _MAKER.path_of(product, places.jobs / job.directory, image)
    except NotSolvedError as exc:
        text = str(exc).replace(str(image), job.image.original_name).replace(str(places.root), "")
        raise NotSolvedError(text) from None

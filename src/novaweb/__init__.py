"""The web service: it takes pictures by the API of nova.astrometry.net, queues them, and has nova solve them.

Data flows one way: ``api`` reads a request, ``submissions`` stores the upload and makes a job, ``queue`` hands jobs to
the executors of :mod:`novacli.batch`, and ``api`` and ``files`` answer from the rows and job directories that result.
"""

from __future__ import annotations

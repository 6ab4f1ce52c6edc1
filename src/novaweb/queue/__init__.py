"""The queue of jobs, of which ``queue`` changes the rows.

A job's own row is its place in the queue.  A worker claims it with a token and a lease.  The lease is prolonged while
the worker lives, and another worker takes the job when it runs out.  Only the holder of the token can finish a job, so
a worker that was stopped past its lease changes nothing when it wakes.
"""

from __future__ import annotations

"""A run of a batch: ``session`` (or ``watch_session``) leads it from beginning to end, ``loop`` keeps the workers busy.

Frames come from a feed and wait in a queue (``queues``; ``sequences`` orders them by camera and time, with
``sequence_hints`` for the worker).  ``worker`` solves one frame, ``recorder`` stores its outcome, ``display`` shows it,
``request`` is what the user asks for, ``summary`` is the paragraph at the end, and ``dry_run`` shows what a run would
do.
"""

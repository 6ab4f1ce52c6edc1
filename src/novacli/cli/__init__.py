"""The command line ``nova``: parse options, call the pipeline or the batch, and show the outcome.

``main`` is the entry point, and imports a command only when it is called; ``commands`` has one file for each command.
``options`` are shared by ``submit`` and ``batch``, ``watchargs`` belong to ``nova batch --watch``, and ``jobargs`` are
shared by the commands on kept jobs.  ``values`` refuses empty values, ``selection`` finds the jobs that a command works
on and collects their errors, and ``progress`` shows the current step.
"""

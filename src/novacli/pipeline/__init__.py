"""The order of the steps from an input to its result.

``solve`` (an input or a field → its result), ``prepare`` (hints, attempts, job directory), ``job_run`` (one job: its
lock, the race, its result), ``conclude`` (race → result), ``hint_check`` (notes on wrong hints), ``retry`` (a job
again), ``fetch`` (results from servers), ``context`` (the records that they share).
"""

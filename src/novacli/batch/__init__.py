"""Many frames: which are to be solved, how they are solved side by side, and what is stored and reported of each.

``records`` holds the records that the rooms exchange.  ``frames`` finds and compares files, ``ledger`` stores outcomes
and plans a run, ``run`` is a run from beginning to end, ``executors`` solve frames on this machine or on a cluster,
``children`` are their processes, and ``reports`` writes reports.
"""

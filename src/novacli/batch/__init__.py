"""Solves many frames: finds those that are not solved yet, solves them side by side, stores and reports outcomes.

``records`` holds the records that the subpackages exchange.  ``frames`` finds and compares files, ``ledger`` stores
outcomes and plans a run, ``run`` is a run from beginning to end, ``executors`` solve frames on this machine or on a
cluster, ``children`` are their processes, and ``reports`` writes reports.
"""

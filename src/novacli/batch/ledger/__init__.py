"""The ledger of a batch, which stores the outcome of each frame.

``database`` is the ledger, ``schema`` its tables, and ``lock`` lets one run at a time use it.
``plan`` compares the frames on disk with the ledger and decides what a run has to do, and ``status`` is what
``nova batch status`` shows.
"""

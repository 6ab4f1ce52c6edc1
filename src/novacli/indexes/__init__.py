"""Index files: where they are on this machine, which fields they solve, whether they are whole, and how to get more.

``places`` lists the folders and files that the settings name; ``coverage`` computes the widths of fields and the parts
of the sky that a set of index files serves.  ``series`` describes the published series, ``recommendation`` chooses from
them for a field, ``choice`` by scale and place, and ``download`` gets them.  ``building`` makes files from a catalogue.
``inspection`` checks files by their ``structure`` and by ``checksums``.  Reading their headers is
``solvehost.indexes``.
"""

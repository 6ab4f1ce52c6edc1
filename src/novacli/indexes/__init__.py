"""Index files on this machine: where they are, and which fields they can solve.

``places`` lists the folders and files that the settings name; ``coverage`` computes the widths of fields and the parts
of the sky that a set of index files serves.  Reading the files themselves is ``solvehost.indexes``.
"""

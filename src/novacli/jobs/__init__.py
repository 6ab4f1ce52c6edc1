"""Job directories on this machine, and the JSON files in them.

``store`` (find, list and remove jobs), ``summaries`` (what their small files say, for lists and ``nova show``),
``filters`` (by state, age and text), ``request`` (``job.json``), ``remote`` (``remote.json``), ``log`` (the engines'
log), ``source_digest`` (the SHA-256 of the image), ``retention`` (which jobs are removed, and when).
"""

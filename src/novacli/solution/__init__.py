"""Solutions: what a finished job directory says of the sky.

``reading`` (a job directory → ``Solution``; the records that the Python API returns), ``files`` (the bytes of the
result files), ``tables`` (what needs numpy or astropy), ``engine_comments`` (which index file matched, from the
engine's comments), ``improve`` (fit the solution again, and replace the files if the new one is better).
"""

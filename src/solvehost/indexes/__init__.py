"""The index files of the engine: find them, read their headers, and choose those that can match a field.

``index_file`` reads one file's header; ``cache`` keeps what was read; ``index_set`` scans directories;
``engine_config`` reads which directories ``astrometry.cfg`` names; ``selection`` chooses the files for an attempt by
scale and place; ``healpix`` and ``sphere`` hold the geometry for that.
"""

"""What runs next to ``astrometry-engine``: the job directory, the axy format, the engine and its limits.

Standard library only.  ``novacli`` imports this package, never the reverse.
"""

"""What runs next to ``astrometry-engine``: the job directory, the axy format, the engine and its limits.

Standard library only.  ``novacli`` imports this package, never the reverse.
"""

#: The version of both packages; pyproject.toml reads it from here.
__version__ = "0.1.0"

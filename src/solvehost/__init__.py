"""The part of nova that runs next to ``astrometry-engine``, on this machine or on a solve server.

``formats`` defines the axy and the job directory, ``indexes`` reads index files, ``wire`` is the protocol between
client and server, ``engine`` runs the engine, ``server`` answers one request, and ``admin`` is for a server's
administrator.  The package imports the standard library only; ``novacli`` imports it, never the reverse.
"""

#: The version of both packages; pyproject.toml reads it from here.
__version__ = "0.1.0"

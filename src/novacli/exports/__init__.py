"""Files that nova writes for a solved field: copies of result tables, the image with its solution, and what follows.

``registry`` lists the exports; each has a file of its own, such as ``wcs``, ``new_fits``, ``avm`` or ``ds9``.
``request`` holds what a person asked for and writes it; ``targets`` refuses outputs that would destroy a file;
``naming`` makes a file's name from the image's.  ``update``, ``fits_copy``, ``insert``, ``description`` and
``original_pixels`` put a solution into an image.
``linear`` makes solutions without distortion, ``outline`` and ``matched_stars`` what several exports write, ``xmp``,
``picture_copy`` and ``xmp_*`` metadata in pictures.  ``kept_job`` reads the solved field of a job again.
"""

"""Files that nova writes for a solved field: copies of result tables, the image with its solution, and what follows.

``registry`` lists the exports; each has a file of its own (``wcs``, ``corr``, ``rdls``, ``axy``, ``new_fits``).
``request`` holds what a person asked for and writes it; ``targets`` refuses outputs that would destroy a file;
``naming`` makes a file's name from the image's.  ``update``, ``fits_copy``, ``insert``, ``description`` and
``original_pixels`` put a solution into an image.
"""

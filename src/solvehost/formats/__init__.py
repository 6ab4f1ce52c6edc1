"""The file formats that clients, the server and the engine share; each is defined in one file.

``axy`` is the augmented xylist, whose header ``axy_cards`` reads and whose star table is ``star_table``; ``fitsfile``
reads and writes FITS headers; ``match_comments`` reads the engine's remarks in wcs.fits; ``jobdir`` is the job
directory; ``atomic`` replaces a file in one step; ``trees`` removes and measures directories.
"""

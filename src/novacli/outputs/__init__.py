"""What a person asks to be written elsewhere: copies of result files, and images with the solution in their header.

``copies.py`` copies result files; ``newfits.py`` writes a new FITS file from any image; ``update.py`` puts the
solution into a FITS image in place.  All write beside the target, force it to disk and rename it, by ``atomic.py``.
"""

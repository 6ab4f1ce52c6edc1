"""FITS headers and tables as bytes, without a FITS library.

``cards`` splits a header into 80-byte cards.  ``celestial`` tells which cards describe the sky and replaces them.
``checksum`` keeps CHECKSUM and DATASUM true.  ``tables`` reads binary tables into numpy.
"""

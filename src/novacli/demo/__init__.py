"""Drawn images of real sky fields with the truth about them: for users without an image, for tests and benchmarks.

::

    index file ─ catalogue.py ─→ stars around a position
    Scene      ─ population.py ─→ the stars that this image shows (some dropped, fainter ones added)
               ─ projection.py ─→ their pixels
               ─ psf.py, exposure.py ─→ counts
               ─ drawing.py ─→ Drawing(pixels, truth)
               ─ writer.py ─→ OUT.fits and OUT.fits.truth.json

``draw(Scene(...), Catalogue.open(path))`` does it in process; :mod:`novacli.cli.commands.demo` is the command.
"""

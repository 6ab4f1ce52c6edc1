"""Draw real sky fields, with the truth about them, for people without an image, for tests and for benchmarks.

::

    index file ─ catalogue.py ─→ stars around a place
    Scene      ─ population.py ─→ the stars that this picture shows (some dropped, fainter ones added)
               ─ projection.py ─→ their pixels
               ─ psf.py, exposure.py ─→ counts
               ─ drawing.py ─→ Drawing(pixels, truth)
               ─ writer.py ─→ OUT.fits and OUT.fits.truth.json

``draw(Scene(...), Catalogue.open(path))`` does it in process; :mod:`novacli.cli.commands.demo` is the command.
"""

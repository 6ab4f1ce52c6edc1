"""Pictures of a solved image: annotated, the stars found, the matched stars, the place on the sky, the distortion.

``registry`` lists the pictures; each has a file of its own, such as ``annotated`` or ``match``.  A picture draws on a
``canvas`` in picture coordinates, to which a ``viewport`` maps FITS pixels; ``labels`` finds places for the labels,
``lettering`` measures them.  ``graticule``, ``furniture``, ``symbols`` and ``figures`` draw what several pictures have.
``allsky`` maps the whole sky; ``legend`` explains marks.  ``svg`` writes the drawing as SVG; ``background`` reads and
stretches the image (``stretch``); ``output`` joins both in a file.  ``plotting`` states the order of these steps.
"""

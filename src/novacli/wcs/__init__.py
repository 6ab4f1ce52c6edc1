"""World coordinate systems: solutions as records, their projection, and fits of a lens to matched stars.

``tansip`` is the record of a solution and ``header`` reads and writes its FITS cards; ``projection`` and ``sphere``
hold the geometry, ``pixel_arrays`` the pixels of many positions.
``refit`` fits a solution again with ``lensmodels``, ``distortion`` (fits, choice of a model) and
``cornererror``.  ``constellation`` names the constellation of a position from the table in ``roman1987``.
"""

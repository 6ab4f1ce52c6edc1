"""The frozen records that pass between the layers; none of them knows how it is computed, stored or shown.

``field`` (what was read), ``params`` (what the user asks for), ``hints`` and ``provenance`` (what is known beforehand),
``calibration`` and ``timing`` (parts of a result), ``result`` (the result of one input, and its JSON), ``json_fields``
(checks JSON as it is read).  Importing them costs little: numpy is imported for type checking only.
"""

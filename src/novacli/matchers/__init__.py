"""Propose where a wide field is by the patterns of its brightest stars; the engine then confirms it, or does not.

``base`` says what a matcher does, ``database`` makes and finds the file of patterns, and ``patterns`` matches by it.

A proposal is never believed by itself.  ``strategy`` makes an attempt of the race from it, whose narrow hints let the
engine look there at once.  All this needs the extra ``patterns`` and its database: without them there is no matcher.
"""

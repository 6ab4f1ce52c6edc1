"""Pixels → star lists.

``detect`` measures the background and finds sources above it, ``order`` ranks them, ``centroids`` measures their
positions to a fraction of a pixel, and ``extractor`` puts these together for one field, with a cache.
"""

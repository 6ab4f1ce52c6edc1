"""Logs of engines: index files that did not load are read from them."""

from __future__ import annotations

from solvehost.engine import logs


def test_index_files_that_did_not_load_are_read_from_the_log() -> None:
    """In the engine's own words; a name may contain blanks."""
    log = (
        b"engine.c:199:engine_add_index: Failed to load index from path /a b/index-1.fits\n"
        b'Failed to add index "/a b/index-1.fits".\n'
        b'Couldn\'t find index "/c/index-2.fits".\n'
        b"Field 1: solved with index index-12.fits.\n"
    )
    assert logs.failed_indexes(log) == {"/a b/index-1.fits", "/c/index-2.fits"}

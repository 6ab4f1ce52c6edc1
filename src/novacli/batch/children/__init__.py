"""Processes that a batch has look at frames, or solve them, since a disk may hold whoever does that for ever."""

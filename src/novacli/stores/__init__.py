"""Where finished and unfinished jobs are kept: listed, found by name, removed."""

"""Files that are made of a solved job when they are first asked for: pictures, tables and exports.

``registry`` lists them.  ``maker`` has a child process make one, because the web process parses no picture; ``making``
is what runs there.
"""

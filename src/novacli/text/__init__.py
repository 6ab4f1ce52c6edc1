"""Words and numbers for people: how they are written on the command line, in headers and in reports.

``angles`` reads and writes right ascensions and declinations, ``quantities`` writes counts, sizes and angles,
``printable`` makes text from outside safe to print, ``columns`` aligns rows of text.
"""

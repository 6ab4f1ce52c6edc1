"""Files and downloads, whatever is in them.

``atomic`` writes a file beside its target and renames it over the target, so that a name always stands for a whole
file.  ``compression`` packs what is written with gzip or bzip2, ``http`` downloads a URL, and ``urls`` holds the
policy on which servers a download may reach.  Nothing here knows FITS.
"""

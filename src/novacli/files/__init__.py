"""Files and downloads, whatever is in them.

``atomic`` replaces a file whole, ``compression`` packs and unpacks gzip and bzip2, ``http`` downloads a URL, and
``urls`` holds the policy that says where a download may lead.
"""

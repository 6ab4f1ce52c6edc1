"""The commands of ``nova``: one file each, parse → call → render."""

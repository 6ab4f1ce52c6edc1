"""The files of a batch: finds frames, waits until they are complete, compares their content, names their outputs.

``listing`` finds frames.  ``watch`` gives frames as they land, with ``watched_folder`` and ``watched_paths``.
``header_reader`` reads the camera and the time, and ``content`` the digests of a file.  ``own_outputs`` recognises
files that nova wrote, ``output_paths`` names outputs and ledgers, and ``disk_room`` checks for full disks.
"""

"""The files of a batch: finding frames, waiting until they are complete, comparing them, naming their outputs.

``listing`` finds frames.  ``watch`` gives frames as they land, with ``watched_folder`` and ``watched_paths``.
``header_reader`` reads the camera and the time, and ``content`` the digests of a file.  ``own_outputs`` recognises
files that nova wrote, ``output_paths`` names outputs and ledgers, ``existing_outputs`` decides which files outputs may
replace, and ``disk_room`` checks for full disks.
"""

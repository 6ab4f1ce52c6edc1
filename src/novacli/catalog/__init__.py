"""What is in a field: deep-sky objects, named stars and the lines of constellations.

``deep_sky`` reads OpenNGC's database and our corrections of it, ``stars`` the Hipparcos stars with their names,
``lines`` the constellations.  ``field`` selects what an image shows, as the records in ``sky_object``; ``shapes`` makes
ellipses on the sky, ``epoch`` reads when an image was taken, ``sources`` states where all this comes from, and
``listing`` prints it.  The files in ``data`` are made by scripts/catalogue_data.py or kept by hand.
"""

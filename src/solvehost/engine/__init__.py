"""The engine: start it on the attempts of a job, limit it, and collect what the first successful one leaves.

``race`` runs the attempts of a job; in it, ``scheduler`` decides which attempt has a core and ``referee`` what an
outcome means.  ``attempts`` starts one engine and judges its end, ``clustering`` rejects false matches, ``second_look``
improves poor solutions.  ``process``, ``exec_helper``, ``sandbox`` and ``descriptors`` make the process; ``slots`` are
the machine's engine tokens; ``program`` finds the engine; ``result_files``, ``logs``, ``live_log``, ``outputs`` and
``manifest`` read and place what it leaves; ``records`` are the records that pass between these files.
"""

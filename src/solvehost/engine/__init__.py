"""The engine: start it on the attempts of a job, limit it, and collect what the first successful one leaves.

``race`` runs the attempts of a job; in it, ``scheduler`` decides which attempt has a core and ``referee`` what an
outcome means.  ``attempts`` starts one engine and judges its end, and ``engine_run`` is an attempt that was started.
``clustering`` rejects false matches, ``follow_up`` looks again at matches of too low odds, which ``candidates`` reads
from the logs, ``second_look`` improves poor solutions; ``extra_run`` runs the engine for both.  ``process``,
``exec_helper``, ``sandbox`` and ``descriptors`` make the process; ``slots`` are the engine tokens of the machine;
``program`` finds the engine; ``result_files``, ``logs``, ``live_log``, ``outputs`` and ``manifest`` read and place what
it leaves; ``records`` are the records that pass between these files.
"""

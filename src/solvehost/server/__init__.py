"""The solve server: what sshd starts for each connection, as the forced command of a client's key.

``forced_command`` one request, from its first byte to its exit code
``supervisor``     the two processes above a job that end everything that it leaves behind
``stdio``          standard input, output and error, with deadlines and minimum rates
``settings``       flags and the configuration file
``engine_setup``   the engine and the index files of this machine
``runner``         a job, from its star lists to its manifest
``detached``       jobs that are kept, solved by a process of their own, and fetched later
``state_dir``      the state directory: jobs, slots, and each client's share of them
``stored_job``     one job in the state directory
``commands``       the protocol's commands other than ``solve``
``request_log``    the line about each request, for the sysadmin
"""

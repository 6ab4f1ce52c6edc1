"""The sysadmin's tools: ``solvehost authorize``, ``check``, ``jobs``, ``gc`` and ``config``.

``cli``        the command line: parse, call, print
``authorize``, ``check``, ``jobs``, ``gc``, ``config``  one file for each command
``checks``     the subjects that ``check`` looks at, one file for each
``records``    what the commands return; ``render`` prints it as text or JSON
``keylines``   lines of ``authorized_keys``; ``pubkeys`` their public keys
``accounts``   the user that the server runs as; ``programs`` runs other programs
``installation``    how sshd starts this installation
``synthetic_field`` a star list made from an index file, to test the server with
"""

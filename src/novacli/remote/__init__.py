"""Solve servers, reached through the system's ``ssh``: everything that the ssh backend and the commands on it share.

``destinations``  what ``--to`` names: host aliases, known hosts, pools
``hosts``         ``hosts.toml``, the hosts known to ``nova hosts``
``sshcommand``    the ssh command line, and the defaults under the user's own configuration
``gate``          the one subprocess gate of ``novacli``: an ssh that is fed, read, timed and surely ended
``tether``        run as a program: ties an ssh to the thread of nova that started it
``server``        one server, a method for each verb of the wire protocol
``outcome``       what an exit code of ssh or of a server means here
``patiently``     asking again, where that may help
``peers``         what servers say of themselves, cached, and which of several is the least busy
``packing``       the star lists of a job as requests
``unpack``        a reply, checked beside and then put into the job directory
``legacy``        a server that runs upstream's script
``remotejob``     ``remote.json``: where a job is that was sent to be fetched later
``fetching``      what finished there, brought home
``managing``      what else can be done about a job that a server has: its log, its end, its removal
``checks``        what ``nova hosts check`` looks at
``samples``       the small job that it sends there and back
"""

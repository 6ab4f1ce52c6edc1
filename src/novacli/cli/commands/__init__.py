"""The commands of ``nova``, one file each, named after the command; ``novacli.cli.main`` lists them."""

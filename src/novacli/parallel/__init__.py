"""Work in a child process: ``iteration`` lets an iterator advance beside the process that uses its items."""

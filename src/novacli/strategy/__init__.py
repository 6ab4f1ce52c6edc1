"""What to try at a field, in which order, and how long to wait before each attempt.

``portfolio`` holds the members of the race as data; ``attempts`` combines them with the hints, the field and the index
files, and yields the attempts lazily.  docs/explanation/how-it-solves.md explains the members.
"""

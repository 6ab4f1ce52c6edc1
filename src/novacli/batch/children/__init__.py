"""Child processes that read or solve frames, so that a hanging disk or a crash affects one frame and not the run.

``child`` starts a process and asks it questions, ``childmain`` is what runs in it, and ``channel`` carries the
questions and answers, with a time limit on each.
"""

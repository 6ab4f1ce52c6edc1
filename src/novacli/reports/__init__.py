"""Ways to show things to people and scripts.

``results`` (results as a table or JSON lines), ``joblist`` (lists of jobs), ``checklist`` (the checks of
``nova doctor``), ``settings`` (settings with their sources).
"""

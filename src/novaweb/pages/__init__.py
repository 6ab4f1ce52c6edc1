"""The pages that people see: upload, state of a submission, result, lists, sign-in and API keys.

Every page is made on the server and works without JavaScript; ``static/nova/nova.js`` adds comfort only.  ``forms`` has
what people fill in, ``upload``, ``submissions``, ``pictures`` and ``account`` have the views, ``errors`` the pages for
what went wrong, and ``shown`` turns rows and results into the words of the templates.
"""

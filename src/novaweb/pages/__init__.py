"""The pages that people see: upload, state of a submission, result, lists, sign-in and API keys.

Every page is made on the server and works without JavaScript; ``static/nova/nova.js`` adds comfort only.

upload, submissions, pictures, account, keys    the views
forms, account_forms                            the forms
texts, result_parts                             rows and results → the words of the templates
viewer                                          the person who looks at a page
errors                                          the error pages
"""

"""The report of a study, as HTML, Markdown and CSV.

Given: tables, pictures and what was assumed.
Gives: files.
"""

"""The sections of the report, one subject a file.

Given: the material of a report.
Gives: texts, tables and figures.
"""

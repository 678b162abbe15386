"""The sections of the report, one subject per file.

Given: the material of a report.
Gives: texts, tables and pictures.
"""

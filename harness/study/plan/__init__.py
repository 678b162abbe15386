"""A plan: a study checked against what is installed.

Given: a study and a catalog.
Gives: what runs, what is skipped and why; nothing is trained.
"""

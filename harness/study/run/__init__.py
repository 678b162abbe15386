"""The run of a study: what comes next, who is informed, how it resumes.

Given: a plan and its journal.
Gives: an outcome.
"""

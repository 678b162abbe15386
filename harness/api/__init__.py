"""The Python API: plan, run, report, results and compare, which the commands call as well.

Given: a study as a name, a path or a dict.
Gives: a plan, results as data frames, the files of a report. Raises HarnessError.
"""

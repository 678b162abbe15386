"""A study: its file, its plan, its journal, its run and its results.

Given: a TOML file and what is installed.
Gives: trials to run and tables of their results.
"""

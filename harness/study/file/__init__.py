"""Study files, resolved to trees without budgets, variants and `--set`.

Given: TOML.
Gives: a study and its resolved trees.
"""

"""Plans: studies checked against the installed components.

Given: a study and a catalog.
Gives: the variants that run, and those that are skipped with the reason; nothing is trained.
"""

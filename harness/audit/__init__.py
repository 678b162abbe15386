"""The check of a data set: counts, duplicates, shortcuts.

Given: a data set.
Gives: findings as values and JSON.
"""

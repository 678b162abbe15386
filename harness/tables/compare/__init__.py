"""Tables that compare models: differences, ranks, claims.

Given: values of several models over the same patients.
Gives: a row per comparison.
"""

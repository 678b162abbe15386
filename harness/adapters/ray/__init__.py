"""Ray Tune runs the trials, ASHA stops them.

Given: specs.
Gives: epochs and results.
"""

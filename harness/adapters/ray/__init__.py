"""Trials run by Ray Tune and pruned by ASHA.

Given: specs.
Gives: epochs and results.
"""

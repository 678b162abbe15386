"""Optuna samples configurations, in a store that persists.

Given: search spaces and finished trials.
Gives: parameters.
"""

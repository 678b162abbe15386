"""Metrics of scores: ranking, decisions, calibration.

Given: labels and scores "n k".
Gives: a value per class and their mean.
"""

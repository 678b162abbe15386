"""Metrics of maps: overlap, pointing, boxes, FROC, layers, attention, faithfulness.

Given: maps and masks, or terms from tables.
Gives: terms and values.
"""

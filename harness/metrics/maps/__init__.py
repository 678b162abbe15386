"""Metrics of maps: overlap, pointing, boxes, FROC, layers, attention, faithfulness.

Given: maps and masks, or their terms in tables.
Gives: terms and values.
"""

"""A model: built, loaded, run over a split.

Given: its table and a seed, or a file of weights.
Gives: a module and its outputs.
"""

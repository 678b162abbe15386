"""The test of a frozen model: tables, maps, controls, overlays.

Given: a model whose weights no longer change.
Gives: the files that every table is computed from.
"""

"""TOML as data: merging, validation, search spaces and the settings of this machine.

Given: TOML text and tables.
Gives: checked values; every mistake of a file at once.
"""

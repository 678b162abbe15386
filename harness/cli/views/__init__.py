"""The output of the commands, as text and JSON. Reads no file.

Given: plans, tables and events.
Gives: renderables.
"""

"""What the commands show, as text and JSON. Reads no file.

Given: plans, tables and events.
Gives: renderables.
"""

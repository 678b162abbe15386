"""The commands, a file each.

Given: arguments.
Gives: an exit code.
"""

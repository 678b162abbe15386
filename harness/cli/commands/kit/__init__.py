"""Commands that write, check, describe and trust plugins. Imports nothing: import the modules."""

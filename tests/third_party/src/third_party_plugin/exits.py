"""A script that someone named as a plugin: it ends the program that imports it."""

import sys

sys.exit("usage: exits.py FILE")

"""GLAM: maps of three scales choose one patch, whose fine map is pasted back."""

"""CLAM of Lu et al.."""

"""Attention MIL of Ilse et al.."""

"""Attention over crops, painted where the crops lie."""

"""DSMIL of Li et al.."""

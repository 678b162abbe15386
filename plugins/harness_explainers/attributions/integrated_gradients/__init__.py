"""Integrated gradients."""

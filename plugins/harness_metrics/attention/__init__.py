"""Metrics of a model's attention over patches or instances."""

"""Metrics of maps beside masks that draw lesions."""

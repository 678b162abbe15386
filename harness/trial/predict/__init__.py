"""Confirmed models on new images.

Given: files of weights and a manifest.
Gives: scores and maps.
"""

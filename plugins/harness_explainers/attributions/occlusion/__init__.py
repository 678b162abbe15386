"""Occlusion by a sliding window."""

"""Ablation-CAM, some channels at a time."""

"""Score-CAM, some channels at a time."""

"""DMV-CNN: a breast is judged from both views of both breasts."""

"""The saliency maps that a model draws itself."""

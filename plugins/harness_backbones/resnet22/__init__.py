"""ResNet-22 of GMIC as a backbone."""

"""ResNet-18 or -34 with unit strides behind the stem as a backbone."""

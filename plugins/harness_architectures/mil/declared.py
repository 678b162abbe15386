"""Common declarations of the architectures over bags."""

NEEDS = frozenset({"instances"})
ENCODER = {
    "encoder": "of images the LeNet of Ilse et al. 2018 (or `backbone`, its last map averaged) with one fully "
    "connected layer and a ReLU; the paper starts from features",
}
SEVERAL = "a sigmoid per class with binary cross-entropy; exclusive classes a softmax"

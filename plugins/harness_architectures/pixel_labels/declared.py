"""Common declarations of `pixel_labels` and `heat_maps`."""

TINY = {
    "architecture": {
        "use": "gmic",
        "crop_channels": 1,
        "backbone": {"use": "resnet22", "stride": 8, "width": 2},
        "local_backbone": {"use": "resnet22", "stride": 8, "width": 2},
        "pooling": {"use": "top_fraction", "fraction": 0.2},
        "local_pooling": {"use": "gated_attention", "dim": 8},
        "crops": 2,
        "crop_px": 24,
    },
    "backbone": {"use": "resnet22", "stride": 8, "width": 2},
    "window_px": 24,
    "stride_px": 20,
}
SPACE = {"architecture": {"use": "gmic", "crop_channels": 1, "map_l1": {"log10": [-5.5, -3.5]}}}
"""Ranges of the default architecture; another one brings its own, and the window is the classifier's."""
ASSUMED = {
    "stride_px": "half a window; neither text says",
    "classifier": "one sigmoid per class on averaged features of a DenseNet-121; it is frozen, batch-norm included, "
    "while the architecture behind it learns",
    "heat maps": "a pixel has the score of the window whose centre is nearest",
    "colour": "the default architecture crops the first channel, which is all of a grey image: for colour set "
    "`architecture.crop_channels = 3`",
}
SOURCE = "Shen et al. 2021, Medical Image Analysis 68, 101908; Wu et al. 2019, IEEE TMI"

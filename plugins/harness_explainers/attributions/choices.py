"""Allowed values of the parameters of attributions. Free of torch."""

from typing import Literal

Sign = Literal["positive", "negative", "absolute"]
Baseline = Literal["zero", "darkest"]

"""What the parameters of attributions may be. Free of torch."""

from typing import Literal

Sign = Literal["positive", "negative", "absolute"]
Baseline = Literal["zero", "darkest"]

"""The pixels that the cells of a feature map look at: by rule from the layers, else measured; and maps placed so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import gcd
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_ARGUMENTS = {
    "conv2d": ("input", "weight", "bias", "stride", "padding", "dilation"),
    "max_pool2d": ("input", "kernel_size", "stride", "padding", "dilation"),
    "avg_pool2d": ("input", "kernel_size", "stride", "padding"),
    "lp_pool2d": ("input", "norm_type", "kernel_size", "stride"),
    "pad": ("input", "pad"),
}
"""Functions that move or thin out the cells, and their arguments in order."""
_UNRULED = {"__getitem__", "narrow", "interpolate", "grid_sample", "adaptive_avg_pool2d", "adaptive_max_pool2d"}
"""Functions without a rule if they change a map's size."""
_MARK = "_seen_from"
_DRAWS = 4


@dataclass(frozen=True)
class Grid:
    """Where the cells of a map lie in an image: cell i is centred on pixel offset + stride * i, for rows and columns.

    Args:
        offset: pixel of the first cell's centre, 0 at the middle of the first pixel.
        stride: pixels from one centre to the next.
    """

    offset: tuple[float, float]
    stride: tuple[float, float]


@dataclass(frozen=True)
class Traced:
    """What layers in order make of an image.

    Args:
        grid: of the last map.
        field: height and width in pixels of the part of the image that a cell is computed from, through
            convolutions and poolings. Attention and squeeze-and-excitation add the whole image.
    """

    grid: Grid
    field: tuple[int, int]


def place(
    maps: Float[Tensor, "b k i j"],
    grid: Grid | None,
    size: tuple[int, int],
    mode: Literal["nearest", "bilinear"] = "nearest",
) -> Float[Tensor, "b k y x"]:
    """Return maps that, drawn evenly over the image, show each cell where it looks.

    Args:
        maps: values per cell.
        grid: of the maps; None leaves them as they are, which draws them evenly.
        size: height and width of the image in pixels.
        mode: "nearest" gives a pixel the nearest cell's value, on as few cells as show this; "bilinear" interpolates
            between centres, at the image's size. Beyond the outermost centres the outermost cells continue.
    """
    if grid is None:
        return maps
    for axis in (0, 1):
        cells, pixels = maps.shape[2 + axis], torch.arange(size[axis], device=maps.device, dtype=torch.float32)
        at = (pixels - grid.offset[axis]) / grid.stride[axis]
        if mode == "nearest":
            maps = maps.index_select(2 + axis, _fewest((at + 0.5).floor().long().clamp(0, cells - 1)))
        else:
            maps = _between(maps, at.clamp(0, cells - 1), 2 + axis)
    return maps


def trace(net: nn.Module, images: Float[Tensor, "b c h w"]) -> Traced | None:
    """Follow strides, paddings and kernels through `net(images)`; None where a layer has no rule.

    Where branches join, the mean of their centres and the widest field count.
    """
    with _quiet(net), _Follow():
        start = images[:1].clone()
        setattr(start, _MARK, _Seen((0.0, 0.0), (1.0, 1.0), (1, 1)))
        found = getattr(net.forward(start), _MARK, None)  # without the hooks on it
    return found and Traced(Grid(found.offset, found.stride), found.field)


def measure(net: nn.Module, images: Float[Tensor, "b c h w"], expected: Grid) -> Grid:
    """Measure the offsets where the strides are known: the mean centroid of middle cells' squared gradients in noise.

    Args:
        net: gives maps "b d i j".
        images: of the size and channels in question; their values are not used.
        expected: a centroid is taken over pixels that lie symmetrically around this centre.
    """
    found = []
    for axis in (0, 1):
        places, apart = torch.arange(images.shape[2 + axis]), []
        for cell, energy in _energies(net, images, axis):
            centre = expected.offset[axis] + expected.stride[axis] * cell
            near = energy.where((places - centre).abs() <= min(centre, len(places) - 1 - centre), 0.0)
            apart.append(float((near * (places - centre)).sum() / near.sum().clamp_min(1e-30)))
        found.append(expected.offset[axis] + sum(apart) / max(1, len(apart)))
    return Grid((found[0], found[1]), expected.stride)


def effective_field(net: nn.Module, images: Float[Tensor, "b c h w"], share: float = 0.95) -> tuple[int, int]:
    """Return height and width of the part of the image that holds a share of the middle cell's squared gradient.

    It is measured on noise of the images' shape, and is smaller than the theoretical field. A side is that of the
    smallest band of pixels around the gradient's centroid; the image's side is the largest value.

    Source: Luo et al. 2016, NeurIPS, "Understanding the effective receptive field".
    """
    sides = []
    for axis in (0, 1):
        energies = [energy for _, energy in _energies(net, images, axis)]
        energy = energies[len(energies) // 2]
        places = torch.arange(len(energy))
        apart = (places - (energy * places).sum() / energy.sum()).abs()
        order = apart.argsort()
        enough = int((energy[order].cumsum(0) < share * energy.sum()).sum())
        sides.append(min(len(energy), round(2 * float(apart[order][min(enough, len(order) - 1)])) + 1))
    return sides[0], sides[1]


def _energies(net: nn.Module, images: Tensor, axis: int) -> Iterator[tuple[int, Tensor]]:
    """Yield up to three cells in the middle of an axis, each with its squared gradient summed over everything else."""
    draw = torch.Generator().manual_seed(0)
    with _quiet(net), torch.enable_grad():
        noise = torch.randn(_DRAWS, *images.shape[1:], generator=draw).to(images).requires_grad_()
        maps = net.forward(noise)
        signs = torch.randn(maps.shape[:2], generator=draw).to(maps)
        line = maps.select(3 - axis, maps.shape[3 - axis] // 2)  # b d n
        middle = line.shape[2] // 2
        for cell in range(max(0, middle - 1), min(line.shape[2], middle + 2)):
            (slope,) = torch.autograd.grad((line[:, :, cell] * signs).sum(), noise, retain_graph=True)
            yield cell, slope.square().sum((0, 1, 3 - axis)).double().cpu()


def _fewest(index: Tensor) -> Tensor:
    """Return every n-th entry, for the largest n at which each run of equal entries begins and ends."""
    starts = (index.diff().nonzero().flatten() + 1).tolist()
    return index[:: gcd(len(index), *starts)]


def _between(maps: Tensor, at: Tensor, axis: int) -> Tensor:
    low = at.floor().long()
    high = (low + 1).clamp(max=maps.shape[axis] - 1)
    weight = (at - low).to(maps.dtype)
    weight = weight[:, None] if axis == 2 else weight
    return maps.index_select(axis, low) * (1 - weight) + maps.index_select(axis, high) * weight


@contextmanager
def _quiet(net: nn.Module) -> Iterator[None]:
    """Run in eval mode, outside autocast, without gradients; modes are restored."""
    modes = {module: module.training for module in net.modules()}
    try:
        net.eval()
        with torch.no_grad(), torch.autocast(next(net.parameters()).device.type, enabled=False):
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@dataclass(frozen=True)
class _Seen:
    offset: tuple[float, float]
    stride: tuple[float, float]
    field: tuple[int, int]

    def through(self, kernel: Any, step: Any, padding: Any, dilation: Any = 1) -> _Seen:
        """Return what is seen behind a window that slides."""
        axes = zip(*map(_pair, (kernel, step, dilation)), self.offset, self.stride, self.field, strict=True)
        rows = []
        for axis, (size, by, apart, offset, stride, field) in enumerate(axes):
            wide = apart * (size - 1)
            before = wide // 2 if padding == "same" else 0 if padding == "valid" else _pair(padding)[axis]
            rows.append((float(offset + stride * (wide / 2 - before)), float(stride * by), field + int(stride * wide)))
        return _Seen(*((one, other) for one, other in zip(*rows, strict=True)))

    def padded(self, before: tuple[int, int]) -> _Seen:
        """Return what is seen behind rows and columns that are put in front."""
        offset = tuple(at - step * more for at, step, more in zip(self.offset, self.stride, before, strict=True))
        return _Seen((offset[0], offset[1]), self.stride, self.field)


class _Follow(TorchFunctionMode):
    """Marks every tensor with what of the image it has seen."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and (seen := _joined(args)) is not None:
            name = getattr(func, "__name__", "")
            if name in ("roll", "flip") or (name in _UNRULED and _resized(args[0], out)):
                return out
            if name in _ARGUMENTS:
                seen = _after(name, seen, {**dict(zip(_ARGUMENTS[name], args, strict=False)), **(kwargs or {})})
            setattr(out, _MARK, seen)
        return out


def _after(name: str, seen: _Seen, given: dict[str, Any]) -> _Seen:
    if name == "pad":
        sides = [*given["pad"], 0, 0, 0, 0]
        return seen.padded((sides[2], sides[0]))
    kernel = tuple(given["weight"].shape[2:]) if name == "conv2d" else given["kernel_size"]
    step = given.get("stride")
    step = (1 if name == "conv2d" else kernel) if step is None or step == [] else step
    return seen.through(kernel, step, given.get("padding", 0), given.get("dilation", 1))


def _resized(before: Any, after: Tensor) -> bool:
    """Return True if both are maps, of different sizes, and the second one is no single cell."""
    maps = isinstance(before, Tensor) and before.ndim == after.ndim == 4
    return maps and before.shape[2:] != after.shape[2:] and after.shape[2:].numel() > 1


def _joined(args: Any) -> _Seen | None:
    """Return what the marked arguments have seen: the mean of centres of the finest, and the widest field."""
    marks = [mark for value in _tensors(args) if (mark := getattr(value, _MARK, None)) is not None]
    if not marks:
        return None
    height, width = (max(sides) for sides in zip(*(mark.field for mark in marks), strict=True))
    stride = min(mark.stride for mark in marks)
    rows, columns = zip(*(mark.offset for mark in marks if mark.stride == stride), strict=True)
    return _Seen((sum(rows) / len(rows), sum(columns) / len(columns)), stride, (height, width))


def _tensors(args: Any) -> Iterator[Tensor]:
    for value in args:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[-1]) if isinstance(value, list | tuple) else (value, value)

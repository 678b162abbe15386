"""The published GMIC written a second time, as plainly as can be, for the tests to compare with.

From the paper's description alone: one image at a time, functional operations driven directly by the
tensors of a checkpoint in its published names. It shares no line with the plugin.
"""

import csv
from pathlib import Path

import torch
from torch.nn import functional as F

KEYS = Path(__file__).parent / "checkpoint_keys.csv"
STAGE_STRIDES = (1, 2, 2, 2, 2)
LOCAL_STRIDES = (1, 2, 2, 2)


def random_checkpoint(seed=0):
    """A state dict with the 258 published names and shapes; scaled so that signals neither die nor blow up."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    with KEYS.open() as file:
        for row in csv.DictReader(file):
            name, shape = row["parameter"], row["shape"]
            if shape == "scalar":
                state[name] = torch.tensor(7)
                continue
            size = tuple(int(part) for part in shape.split("x"))
            if name.endswith("running_var"):
                value = 0.5 + torch.rand(size, generator=generator)
            elif len(size) > 1:
                fan_in = torch.Size(size[1:]).numel()
                value = torch.randn(size, generator=generator) * (1.5 / fan_in) ** 0.5
            elif name.endswith("bias") or name.endswith("running_mean"):
                value = 0.2 * torch.randn(size, generator=generator)
            else:
                value = 0.7 + 0.6 * torch.rand(size, generator=generator)
            state[name] = value
    return state


def norm(x, state, name):
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], training=False, eps=1e-5)


def global_network(x, state, trace=None):
    trace = [] if trace is None else trace
    x = F.conv2d(x, state["ds_net.first_conv.weight"], stride=2, padding=3)
    trace.append(tuple(x.shape[2:]))
    x = F.max_pool2d(x, 3, stride=2, padding=0)
    trace.append(tuple(x.shape[2:]))
    for stage, stride in enumerate(STAGE_STRIDES):
        for block in (0, 1):
            name = f"ds_net.layer_list.{stage}.{block}"
            step = stride if block == 0 else 1
            u = F.relu(norm(x, state, f"{name}.bn1"))
            short = F.conv2d(u, state[f"{name}.downsample.0.weight"], stride=step) if block == 0 else x
            y = F.conv2d(u, state[f"{name}.conv1.weight"], stride=step, padding=1)
            y = F.conv2d(F.relu(norm(y, state, f"{name}.bn2")), state[f"{name}.conv2.weight"], padding=1)
            x = y + short
        trace.append(tuple(x.shape[2:]))
    return F.relu(norm(x, state, "ds_net.final_bn"))


def local_network(x, state):
    x = F.conv2d(x, state["dn_resnet.conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(F.relu(norm(x, state, "dn_resnet.bn1")), 3, stride=2, padding=1)
    for stage, stride in enumerate(LOCAL_STRIDES, start=1):
        for block in (0, 1):
            name = f"dn_resnet.layer{stage}.{block}"
            step = stride if block == 0 else 1
            short = x
            if f"{name}.downsample.0.weight" in state:
                short = F.conv2d(x, state[f"{name}.downsample.0.weight"], stride=step)
                short = norm(short, state, f"{name}.downsample.1")
            y = F.relu(norm(F.conv2d(x, state[f"{name}.conv1.weight"], stride=step, padding=1), state, f"{name}.bn1"))
            y = norm(F.conv2d(y, state[f"{name}.conv2.weight"], padding=1), state, f"{name}.bn2")
            x = F.relu(y + short)
    return x.mean((2, 3))


def greedy_corners(maps, window, crops):
    """maps "k i j" of one image -> list of (row, column)."""
    summed = torch.zeros_like(maps[0])
    for one in maps:
        summed = summed + (one - one.min()) / (one.max() - one.min())
    found = []
    for _ in range(crops):
        scores = F.avg_pool2d(summed[None, None], window, stride=1)[0, 0]
        index = int(scores.flatten().argmax())
        row, column = index // scores.shape[1], index % scores.shape[1]
        found.append((row, column))
        summed[row : row + window[0], column : column + window[1]] = 0
    return found


def crop(image, row, column, size):
    """image "h w"; what overflows is filled with the minimum, the content goes to the bottom right."""
    patch = torch.full((size, size), float(image.min()))
    part = image[row : row + size, column : column + size]
    patch[size - part.shape[0] :, size - part.shape[1] :] = part
    return patch


def forward(images, state, *, fraction, crops, crop_px):
    """Everything the published network gives, one image at a time, stacked."""
    found = {"global": [], "local": [], "fusion": [], "maps": [], "corners": [], "attention": []}
    for image in images:
        height, width = image.shape[1:]
        features = global_network(image[None], state)
        maps = torch.sigmoid(F.conv2d(features, state["left_postprocess_net.gn_conv_last.weight"]))[0]
        h, w = maps.shape[1:]
        count = max(1, int(round(h * w * fraction)))
        highest = maps.flatten(1).sort(dim=1, descending=True).values[:, :count]
        corners = greedy_corners(maps, (round(crop_px * h / height), round(crop_px * w / width)), crops)
        pixels = [(round(row / h * height), round(column / w * width)) for row, column in corners]
        patches = torch.stack([crop(image[0], row, column, crop_px) for row, column in pixels])
        vectors = local_network(patches[:, None].repeat(1, 3, 1, 1), state)  # n 512
        tanh = torch.tanh(vectors @ state["mil_attn_V.weight"].T)
        gate = torch.sigmoid(vectors @ state["mil_attn_U.weight"].T)
        weights = ((tanh * gate) @ state["mil_attn_w.weight"].T).softmax(0)  # n 1
        z = (weights * vectors).sum(0)
        g = features[0].flatten(1).max(1).values
        fused = state["fusion_dnn.weight"] @ torch.cat([g, z]) + state["fusion_dnn.bias"]
        found["global"].append(highest.mean(1))
        found["local"].append(torch.sigmoid(state["classifier_linear.weight"] @ z))
        found["fusion"].append(torch.sigmoid(fused))
        found["maps"].append(maps)
        found["corners"].append(torch.tensor(corners))
        found["attention"].append(weights[:, 0])
    return {name: torch.stack(values) for name, values in found.items()}

"""Nyström attention: Xiong, Zeng, Chakraborty et al. 2021, "Nyströmformer", AAAI.

softmax(Q K') is approximated from m landmarks, the means of m segments of Q and K:
softmax(Q K~') pinv(softmax(Q~ K~')) softmax(Q~ K') V (eq. 13), the pseudo-inverse by iteration (eq. 12).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class NystromAttention(nn.Module):
    """Self-attention of one sequence, plus a depth-wise convolution of the values.

    Args:
        dim: width of a token.
        heads: must divide `dim`.
        landmarks: m; a shorter sequence has as many as it has tokens, and is then attended to exactly.
        iterations: of the pseudo-inverse.
        dropout: after the last layer.
        kernel: width of the convolution; 0 leaves it out.
        padded: zeros in front bring a sequence to a multiple of `landmarks`, as in the released code. They take
            attention, and the pseudo-inverse of all heads is scaled by their largest norms.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        landmarks: int,
        iterations: int,
        dropout: float,
        kernel: int,
        padded: bool = False,
    ) -> None:
        super().__init__()
        self.heads, self.landmarks, self.iterations, self.padded = heads, landmarks, iterations, padded
        self.project = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(dropout))
        self.beside = (
            nn.Conv2d(heads, heads, (kernel, 1), padding=(kernel // 2, 0), groups=heads, bias=False) if kernel else None
        )

    def forward(self, tokens: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Attend from every token to every other."""
        asked, dim = tokens.shape
        if self.padded:
            tokens = nn.functional.pad(tokens, (0, 0, -asked % self.landmarks, 0))
        count = len(tokens)
        parts = self.project(tokens).view(count, 3, self.heads, dim // self.heads).permute(1, 2, 0, 3)
        query, key, value = parts.float().unbind(0)  # h n e
        with torch.autocast(tokens.device.type, enabled=False):  # the iteration does not converge in bf16
            attended = nystrom(query, key, value, self.landmarks, self.iterations, alike=self.padded)
            if self.beside is not None:
                attended = attended + self.beside(value[None])[0]
        found: Tensor = self.out(attended.transpose(0, 1).reshape(count, dim)[count - asked :])
        return found


def nystrom(
    query: Float[Tensor, "h n e"],
    key: Float[Tensor, "h n e"],
    value: Float[Tensor, "h n f"],
    landmarks: int,
    iterations: int,
    alike: bool = False,
) -> Float[Tensor, "h n f"]:
    """Approximate attention over n tokens from `landmarks` of them, or n if that is less; `alike`: see the inverse."""
    query = query * query.shape[2] ** -0.5
    few_queries, few_keys = segment_means(query, landmarks), segment_means(key, landmarks)
    left = (query @ few_keys.transpose(1, 2)).softmax(2)
    middle = (few_queries @ few_keys.transpose(1, 2)).softmax(2)
    right = (few_queries @ key.transpose(1, 2)).softmax(2)
    return left @ pseudo_inverse(middle, iterations, alike) @ (right @ value)


def segment_means(tokens: Float[Tensor, "h n e"], segments: int) -> Float[Tensor, "h m e"]:
    """Return means of m neighbouring segments of nearly equal length; m = min(segments, n)."""
    count = tokens.shape[1]
    many = min(segments, count)
    place = torch.arange(count, device=tokens.device) * many // count
    sums = tokens.new_zeros(tokens.shape[0], many, tokens.shape[2]).index_add(1, place, tokens)
    return sums / torch.bincount(place, minlength=many)[:, None]


def pseudo_inverse(matrix: Float[Tensor, "h m m"], iterations: int, alike: bool = False) -> Float[Tensor, "h m m"]:
    """Approximate the Moore-Penrose inverse to third order; each matrix is scaled by its own norms.

    `alike` scales all of them by the largest column norm and the largest row norm of any.

    Source: eq. 12, after Razavi et al. 2014: it starts at A' / (|A|_1 |A|_inf).
    """
    identity = torch.eye(matrix.shape[1], device=matrix.device)
    columns, rows = matrix.abs().sum(1).amax(1), matrix.abs().sum(2).amax(1)
    sizes = (columns.amax() * rows.amax()).expand(len(matrix)) if alike else columns * rows
    found = matrix.transpose(1, 2) / sizes[:, None, None]
    for _ in range(iterations):
        both = matrix @ found
        found = 0.25 * found @ (13 * identity - both @ (15 * identity - both @ (7 * identity - both)))
    return found

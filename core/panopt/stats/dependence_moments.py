"""Sums of products of judges' scores, block by block: all that correlations and their draws need.

Responses (whole clusters of them) are dealt into a few hundred blocks; a bootstrap over blocks
then costs the same for a thousand responses as for a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_MOST_BLOCKS = 400
_CELLS = 4_000_000  # numbers held in block sums: 32 MB


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over pairs of judges of what both scored; the first axis are blocks of responses."""

    n: FloatArray
    """Responses both scored (blocks, judges, judges)."""
    product: FloatArray
    """Sum of the first judge's score times the second's, over channels (blocks, judges, judges)."""
    square: FloatArray
    """Sum of the first judge's squares where both scored, over channels."""
    total: FloatArray
    """Sum of the first judge's scores where both scored (channels, blocks, judges, judges)."""

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.n)

    def correlations(self, weights: FloatArray) -> FloatArray:
        """Give the correlation of each pair when blocks count as often as `weights` says.

        Parameters
        ----------
        weights
            One row a draw (draws, blocks).

        Returns
        -------
        ndarray
            (draws, judges, judges), 1 on the diagonal, NaN where a pair shares fewer than two
            responses or one of them never varies on those shared.
        """
        n, product, square = (
            self._sum(weights, part) for part in (self.n, self.product, self.square)
        )
        with np.errstate(all="ignore"):
            means = np.stack([self._sum(weights, part) / n for part in self.total])
            covariance = product / n - np.einsum("cbjm,cbmj->bjm", means, means)
            variance = square / n - np.square(means).sum(axis=0)
            fit = (n >= 2) & (variance > 1e-10) & (variance.transpose(0, 2, 1) > 1e-10)
            found = covariance / np.sqrt(variance * variance.transpose(0, 2, 1))
        found = np.where(fit, np.clip(found, -1.0, 1.0), np.nan)
        diagonal = np.arange(found.shape[1])
        found[:, diagonal, diagonal] = 1.0
        return found

    @staticmethod
    def _sum(weights: FloatArray, part: FloatArray) -> FloatArray:
        summed: FloatArray = weights @ part.reshape(len(part), -1)
        return summed.reshape(len(weights), *part.shape[1:])


def channel_moments(
    channels: Sequence[FloatArray],
    clusters: NDArray[np.intp] | None,
    rng: np.random.Generator,
) -> Moments:
    """Sum up scores by block.

    Parameters
    ----------
    channels
        Matrices (responses, judges), NaN at the same places: one of scores, or one indicator
        a label.
    clusters
        Cluster code of each response from 0 without gaps; None: each its own.
    rng
        Deals clusters into blocks where there are too many for a block each.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, np.nan]])
    >>> found = channel_moments([x], None, np.random.default_rng(0))
    >>> found.n_blocks, found.n.sum(axis=0).tolist()
    (3, [[3.0, 2.0], [2.0, 2.0]])
    """
    n_rows, n_judges = channels[0].shape
    n_clusters = n_rows if clusters is None else int(clusters.max()) + 1
    room = _CELLS // (max(1, n_judges) ** 2 * (3 + len(channels)))
    n_blocks = min(n_clusters, max(20, min(_MOST_BLOCKS, room)))
    block = np.arange(n_clusters)
    if n_blocks < n_clusters:
        block = rng.permutation(n_clusters) % n_blocks
    of_row = block if clusters is None else block[clusters]
    order = np.argsort(of_row, kind="stable")
    ends = np.searchsorted(of_row[order], np.arange(n_blocks + 1))
    shape = (n_blocks, n_judges, n_judges)
    n, product, square = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    total = np.zeros((len(channels), *shape))
    for b in range(n_blocks):
        rows = order[ends[b] : ends[b + 1]]
        given = (~np.isnan(channels[0][rows])).astype(np.float64)
        n[b] = given.T @ given
        for c, channel in enumerate(channels):
            x = np.nan_to_num(channel[rows])
            product[b] += x.T @ x
            square[b] += np.square(x).T @ given
            total[c, b] = x.T @ given
    return Moments(n, product, square, total)

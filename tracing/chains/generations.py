"""Which generation of infection an id belongs to, and one parent for each, along the shortest way from a root.

A root is an id that nobody but itself is linked to: generation 0. A ring of links without a root has no generation.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from tracing.chains.tables import Flags, Ints, Tables

NO_GENERATION: Final = -1
NO_PARENT: Final = -1


class Generations(NamedTuple):
    """By id number. An id outside the contacts is a root of its own."""

    root: Flags
    generation: Ints
    parent: Ints


def generations_of(tables: Tables) -> Generations:
    """Return root, generation and parent of each id."""
    number = len(tables.ids)
    others = tables.source != tables.target
    root = np.ones(number, np.bool_)
    root[tables.target[others]] = False
    roots = np.flatnonzero(root)
    if not len(roots):
        return Generations(root, np.full(number, NO_GENERATION), np.full(number, NO_PARENT))
    shape = (number, number)
    links = coo_array((np.ones(int(others.sum())), (tables.source[others], tables.target[others])), shape=shape)
    steps, parent, _ = dijkstra(
        links.tocsr(), directed=True, indices=roots, unweighted=True, min_only=True, return_predecessors=True
    )
    reached = np.isfinite(steps)
    generation = np.where(reached, steps, NO_GENERATION).astype(np.int64)
    return Generations(root, generation, np.where(reached & ~root, parent, NO_PARENT).astype(np.int64))

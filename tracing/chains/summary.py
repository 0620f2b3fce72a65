"""The figures of summary.json: exactly these keys, by the words of docs/guides/chains.md."""

from typing import Final

import msgspec
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tracing.chains.dispersion import Offspring, fit_k
from tracing.chains.tables import Ints, Tables, implausible, interval_days

SHARE: Final = (4, 5)  # 80 %


class Degree(msgspec.Struct, frozen=True):
    """Over the ids of the contacts; `max_id` is the smallest of those that have the most."""

    mean: float | None
    max: int | None
    max_id: str | None


class Components(msgspec.Struct, frozen=True):
    """Weakly connected, over the ids of the contacts."""

    count: int
    sizes: list[int]


class OnsetInterval(msgspec.Struct, frozen=True):
    """Days from the onset of `from` to that of `to`."""

    n: int
    mean: float | None
    median: float | None


class OffspringFigures(msgspec.Struct, frozen=True):
    """Over every id of either table."""

    n: int
    mean: float | None = msgspec.field(name="R")
    k: float | None
    share_80: float | None


class Summary(msgspec.Struct, frozen=True):
    """summary.json."""

    linelist: int
    ids: int
    contacts: int
    in_degree: Degree
    out_degree: Degree
    components: Components
    onset_interval_days: OnsetInterval
    offspring: OffspringFigures
    implausible_links: int


def summary_of(tables: Tables) -> Summary:
    """Return the figures of both tables."""
    offspring = Offspring(tables.out_degree)
    return Summary(
        linelist=tables.linelist_rows,
        ids=int(tables.in_contacts.sum()),
        contacts=tables.links,
        in_degree=_degree(tables, tables.in_degree),
        out_degree=_degree(tables, tables.out_degree),
        components=_components(tables),
        onset_interval_days=_onset_interval(tables),
        offspring=OffspringFigures(offspring.n, offspring.mean, fit_k(offspring), _share(tables.out_degree)),
        implausible_links=int(implausible(tables).sum()),
    )


def component_of(tables: Tables) -> Ints:
    """Return the number of each id's component, 0 the largest (at a tie the one with the smallest id)."""
    number = len(tables.ids)
    links = coo_array((np.ones(tables.links), (tables.source, tables.target)), shape=(number, number))
    if not number:
        return np.zeros(0, np.int64)
    _, label = connected_components(links.tocsr(), directed=True, connection="weak")
    _, first, sizes = np.unique(label, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    component: Ints = rank[label]
    return component


def _degree(tables: Tables, degree: Ints) -> Degree:
    number = int(tables.in_contacts.sum())
    if not number:
        return Degree(None, None, None)
    most = int(np.argmax(degree))  # the first of the greatest; an id outside the contacts has none
    return Degree(tables.links / number, int(degree[most]), tables.ids[most])


def _components(tables: Tables) -> Components:
    sizes = np.bincount(component_of(tables)[tables.in_contacts])
    return Components(count=int((sizes > 0).sum()), sizes=sorted((int(size) for size in sizes if size), reverse=True))


def _onset_interval(tables: Tables) -> OnsetInterval:
    days, known = interval_days(tables)
    days = days[known]
    if not len(days):
        return OnsetInterval(0, None, None)
    return OnsetInterval(len(days), int(days.sum()) / len(days), float(np.median(days)))


def _share(degree: Ints) -> float | None:
    """Return the smallest share of ids that make 80 % of the links; None where there are no links."""
    links = int(degree.sum())
    if not links:
        return None
    made = np.cumsum(np.sort(degree)[::-1])
    part, whole = SHARE
    return (int(np.searchsorted(made * whole, links * part)) + 1) / len(degree)

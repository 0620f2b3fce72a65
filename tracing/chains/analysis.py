"""What summary.json does not say: clusters, generations, intervals of confidence, venues, and what to look at again."""

from typing import Final

import msgspec
import numpy as np

from tracing.chains.dispersion import Offspring, fit_k, interval_of_k, interval_of_mean
from tracing.chains.generations import NO_GENERATION, Generations
from tracing.chains.tables import NO_DAY, Tables, day_text, implausible, interval_days
from tracing.chains.venues import Attack, attack_of

NEGATIVE_BINOMIAL: Final = "negative binomial, normal on the logarithm"
POISSON: Final = "Poisson, exact"


class Reproduction(msgspec.Struct, frozen=True):
    """The mean number of links from an id, and how sure it is."""

    mean: float | None = msgspec.field(name="R")
    interval_95: tuple[float, float] | None
    method: str
    k: float | None
    k_interval_95: tuple[float, float | None] | None


class GenerationSizes(msgspec.Struct, frozen=True):
    """Over the ids of the contacts; `sizes` begins with the roots."""

    sizes: list[int]
    without_root: int


class Cluster(msgspec.Struct, frozen=True):
    """A component of at least two ids; `component` is its number in the graph files."""

    component: int
    size: int
    links: int
    generations: int
    roots: list[str]
    with_onset: int
    first_onset: str | None
    last_onset: str | None


class ImplausibleLink(msgspec.Struct, frozen=True):
    """`to` fell ill before `from`; said once, with the number of rows that say so."""

    source: str = msgspec.field(name="from")
    target: str = msgspec.field(name="to")
    onset_from: str | None
    onset_to: str | None
    days: int
    rows: int


class Quality(msgspec.Struct, frozen=True):
    """What makes the figures weaker."""

    ids_not_in_linelist: int
    linelist_without_contacts: int
    linelist_without_onset: int
    links_without_onset: int
    self_links: int
    repeated_rows: int


class Analysis(msgspec.Struct, frozen=True):
    """analysis.json."""

    reproduction: Reproduction
    offspring_distribution: dict[str, int]
    onset_interval_distribution: dict[str, int]
    generations: GenerationSizes
    clusters: list[Cluster]
    attack: Attack | None
    implausible_links: list[ImplausibleLink]
    quality: Quality


def analysis_of(tables: Tables, component: np.ndarray, generations: Generations) -> Analysis:
    """Return it all; `component` as `component_of` numbers them."""
    days, known = interval_days(tables)
    return Analysis(
        reproduction=_reproduction(tables),
        offspring_distribution=_distribution(tables.out_degree),
        onset_interval_distribution=_distribution(days[known]),
        generations=_generation_sizes(tables, generations),
        clusters=_clusters(tables, component, generations),
        attack=attack_of(tables),
        implausible_links=_implausible_links(tables),
        quality=_quality(tables),
    )


def _reproduction(tables: Tables) -> Reproduction:
    offspring = Offspring(tables.out_degree)
    k = fit_k(offspring)
    interval = interval_of_mean(offspring, k)
    if k is None:
        return Reproduction(offspring.mean, interval, POISSON, None, None)
    return Reproduction(offspring.mean, interval, NEGATIVE_BINOMIAL, k, interval_of_k(offspring, k))


def _distribution(numbers: np.ndarray) -> dict[str, int]:
    values, times = np.unique(numbers, return_counts=True)
    return {str(value): int(number) for value, number in zip(values, times, strict=True)}


def _generation_sizes(tables: Tables, generations: Generations) -> GenerationSizes:
    generation = generations.generation[tables.in_contacts]
    reached = generation[generation != NO_GENERATION]
    return GenerationSizes([int(size) for size in np.bincount(reached)], int((generation == NO_GENERATION).sum()))


def _clusters(tables: Tables, component: np.ndarray, generations: Generations) -> list[Cluster]:
    """Components are numbered by size, so the ids sorted by it fall into slices; singles come last and are left out."""
    sizes = np.bincount(component) if len(component) else np.zeros(0, np.int64)
    links = np.bincount(component[tables.source], minlength=len(sizes))
    members = np.split(np.argsort(component, kind="stable"), np.cumsum(sizes)[:-1]) if len(sizes) else []
    return [
        _cluster(tables, number, members[number], int(links[number]), generations)
        for number in range(int((sizes > 1).sum()))
    ]


def _cluster(tables: Tables, number: int, members: np.ndarray, links: int, generations: Generations) -> Cluster:
    onset = tables.onset_day[members]
    onset = onset[onset != NO_DAY]
    return Cluster(
        component=number + 1,
        size=len(members),
        links=links,
        generations=int(generations.generation[members].max()) + 1,
        roots=[tables.ids[member] for member in members[generations.root[members]]],
        with_onset=len(onset),
        first_onset=day_text(onset.min()) if len(onset) else None,
        last_onset=day_text(onset.max()) if len(onset) else None,
    )


def _implausible_links(tables: Tables) -> list[ImplausibleLink]:
    wrong = implausible(tables)
    pairs = np.column_stack((tables.source[wrong], tables.target[wrong]))
    distinct, rows = np.unique(pairs, axis=0, return_counts=True)
    onset = tables.onset_day
    return [
        ImplausibleLink(
            tables.ids[source],
            tables.ids[target],
            day_text(onset[source]),
            day_text(onset[target]),
            int(onset[target] - onset[source]),
            int(times),
        )
        for (source, target), times in zip(distinct, rows, strict=True)
    ]


def _quality(tables: Tables) -> Quality:
    _, known = interval_days(tables)
    pairs = np.unique(tables.source * max(len(tables.ids), 1) + tables.target)
    return Quality(
        ids_not_in_linelist=int((~tables.in_linelist).sum()),
        linelist_without_contacts=int((~tables.in_contacts).sum()),
        linelist_without_onset=int((tables.in_linelist & (tables.onset_day == NO_DAY)).sum()),
        links_without_onset=int((~known).sum()),
        self_links=int((tables.source == tables.target).sum()),
        repeated_rows=tables.links - len(pairs),
    )

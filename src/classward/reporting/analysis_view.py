"""What the page of an audit or an analysis may name: its drawings, tables and sentences."""

from typing import Any

import numpy as np

from classward.records.analysis_result import Analysis
from classward.records.audit_result import Audit, ClassAccuracy
from classward.records.examples import PairExample
from classward.records.result import Share
from classward.reporting import pair_images
from classward.reporting.budget_curve import curve_view
from classward.reporting.busiest import READABLE, block, busiest, off_diagonal
from classward.reporting.cells import cell_shares, counted, matrix_view, share_cells
from classward.reporting.chord import plot_chord
from classward.reporting.class_bars import MOST_BARS, least_robust, plot_class_bars
from classward.reporting.figure import svg
from classward.reporting.heatmap import plot_attack_matrix, plot_attack_matrix_pixels
from classward.reporting.pair_flows import MOST_FLOWS, PairFlow, pair_flows
from classward.reporting.pair_graph import drawn, plot_pair_graph
from classward.reporting.references import references
from classward.reporting.sentences import failed_first, pair_sentence, symmetry_sentence
from classward.reporting.similarity import beside_flows
from classward.reporting.wording import number

View = dict[str, Any]  # what a template may name
MOST_EXAMPLES = 20


def audit_view(audit: Audit, examples: list[PairExample]) -> View:
    """Of an audit, with its headline."""
    analysis = audit.analysis
    shown = ["analyze", *audit.attack_options.values()]
    view = _analysis(analysis, audit.per_class, examples)
    others = _other_matrices(audit)
    return view | {
        "title": f"{audit.model} on {audit.data}",
        "audit": audit,
        "weakest": least_robust(audit.per_class)[:1],
        "checks": failed_first(audit.checks),
        "curve": None if audit.curve is None else curve_view(audit.curve, audit.eps),
        "references": references([*shown, *weights_of(analysis)]),
        "other_matrices": others,
        "script_data": _for_script([view["plots"]["matrix"], *others.values()]),
    }


def bare_analysis_view(analysis: Analysis, examples: list[PairExample]) -> View:
    """Of the analysis of one attack, which has no headline."""
    classes = [_accuracy(entry.name, entry.clean, entry.robust) for entry in analysis.per_class]
    shown = ["analyze", analysis.attack, *weights_of(analysis)]
    view = _analysis(analysis, classes, examples)
    return view | {
        "title": "Which class falls to which",
        "references": references(shown),
        "script_data": _for_script([view["plots"]["matrix"]]),
    }


def weights_of(analysis: Analysis) -> list[str]:
    """The method behind the class weights, if there are any."""
    return [] if analysis.weight_similarity is None else ["weight_similarity"]


def _analysis(
    analysis: Analysis, classes: list[ClassAccuracy], examples: list[PairExample]
) -> View:
    flows = pair_flows(np.array(analysis.counts), analysis.maximum_symmetry_pairs)
    return {
        "analysis": analysis,
        "plots": _plots(analysis, classes, flows),
        "flows": flows,
        "most_flows": MOST_FLOWS,
        "classes": list(zip(classes, analysis.per_class, strict=True)),
        "symmetry_told": symmetry_sentence(analysis),
        "pairs_told": pair_sentence(analysis),
        "examples": [_example(analysis.classes, entry) for entry in examples[:MOST_EXAMPLES]],
        "hidden_examples": max(0, len(examples) - MOST_EXAMPLES),
    }


def _example(names: list[str], example: PairExample) -> View:
    """An example with its pictures; `pair` is what the script of the page finds it by."""
    ends = [
        names.index(name) if name in names else -1 for name in (example.source, example.target)
    ]
    return {
        "of": example,
        "images": pair_images.pictures(example),
        "gain": pair_images.gain(example),
        "pair": "{}-{}".format(*ends),
    }


def _plots(analysis: Analysis, classes: list[ClassAccuracy], flows: list[PairFlow]) -> View:
    """The drawings by name; one that would be empty is `None`."""
    matrix, names = _array(analysis.attack_matrix), analysis.classes
    chosen = busiest(matrix)
    part, some = matrix[np.ix_(chosen, chosen)], [names[i] for i in chosen]
    place = {index: n for n, index in enumerate(chosen)}
    pairs = [
        (place[i], place[j])
        for i, j in analysis.maximum_symmetry_pairs
        if i in place and j in place
    ]
    bars = least_robust(classes, MOST_BARS)
    edges = drawn(flows)
    return {
        "shown": len(chosen),
        "pixels": svg(plot_attack_matrix_pixels(matrix), "pixels")
        if len(chosen) < len(names)
        else None,
        "block": block(len(names)),
        "matrix": _matrix("matrix", part, np.array(analysis.counts), names, chosen, pairs),
        "chord": svg(plot_chord(part, some, pairs), "chord")
        if off_diagonal(part).any()
        else None,
        "graph": svg(plot_pair_graph(edges, names), "graph") if edges else None,
        "bars": svg(plot_class_bars(bars), "bars") if bars else None,
        "left_out": sum(entry.robust is not None for entry in classes) - len(bars),
        "weights": _similarity(analysis, matrix),
    }


def _matrix(
    key: str,
    part: np.ndarray,
    counts: np.ndarray,
    names: list[str],
    chosen: list[int],
    pairs: list[tuple[int, int]],
) -> View:
    axes = plot_attack_matrix(part, [names[i] for i in chosen], pairs)
    return matrix_view(key, axes, names, chosen, share_cells(cell_shares(counts, chosen)))


def _other_matrices(audit: Audit) -> dict[str, View]:
    """Matrices of the other attacks by name, while all classes can be read."""
    names = audit.classes
    if len(names) > READABLE:
        return {}
    samples = [entry.samples for entry in audit.per_class]
    every = list(range(len(names)))
    return {
        name: _matrix(f"other{n}", _array(matrix), counted(matrix, samples), names, every, [])
        for n, (name, matrix) in enumerate(audit.attack_matrices.items())
    }


def _similarity(analysis: Analysis, matrix: np.ndarray) -> View | None:
    """Cosines between class weights: the drawing, and the table while it can be read."""
    weights, names = analysis.weight_similarity, analysis.classes
    if weights is None:
        return None
    few = len(names) <= READABLE
    return {
        "svg": svg(beside_flows(_array(weights), matrix, names), "weights"),
        "names": names,
        "rows": [list(map(number, row)) for row in weights] if few else [],
    }


def _for_script(matrices: list[View]) -> View:
    return {view["key"]: view["script"] for view in matrices}


def _accuracy(name: str, clean: Share, robust: Share) -> ClassAccuracy:
    def interval(entry: Share) -> tuple[float, float] | None:
        return None if entry.low is None or entry.high is None else (entry.low, entry.high)

    return ClassAccuracy(
        name=name,
        samples=clean.total,
        clean=clean.value,
        robust=robust.value,
        clean_interval=interval(clean),
        robust_interval=interval(robust),
    )


def _array(matrix: list[list[float | None]] | list[list[float]]) -> np.ndarray:
    return np.array(matrix, dtype=np.float64)  # None becomes NaN: undefined

"""Results with numbers that fit together, made from seeded counts."""

from math import sqrt

import numpy as np
import pytest

from classward.records.analysis_result import Analysis, ClassRobustness
from classward.records.audit_result import Audit, Check, ClassAccuracy, RatioAndP
from classward.records.comparison_result import (
    ClassDifference,
    ComparedRun,
    Comparison,
    Difference,
    FlowDifference,
    RunDifference,
)
from classward.records.correction_result import CorrectionRow, CorrectionTable, TransferTable
from classward.records.curve_result import Curve
from classward.records.defense_result import DefenseRow, DefenseTable
from classward.records.demo_result import Demo
from classward.records.examples import PairExample
from classward.records.result import Passes, Share, Statistic

CLEAN = 0.9
CHECKS = [
    ("finite_gradients", "All 11940 input gradients were finite.", "unsound"),
    ("steps_help", "One step leaves 59.0% right, many steps 51.6%.", "suspect"),
    ("transfer", "Images made on another network leave 80.2% right.", "unsound"),
]


def make_share(count, total):
    if total == 0:
        return Share(count=0, total=0, value=None, low=None, high=None)
    p, z = count / total, 1.96
    middle, reach = p + z**2 / (2 * total), z * sqrt(p * (1 - p) / total + (z / 2 / total) ** 2)
    low, high = ((middle + side * reach) / (1 + z**2 / total) for side in (-1, 1))
    return Share(count=count, total=total, value=p, low=max(low, 0.0), high=min(high, 1.0))


def make_counts(classes, seed, empty):
    rng = np.random.default_rng(seed)
    flow = rng.gamma(0.5, size=(classes, classes))
    flow += flow.T * 0.8 + np.eye(classes) * flow.sum(axis=1)
    flow /= flow.sum(axis=1, keepdims=True)
    counts = np.stack([rng.multinomial(60, row) for row in flow])
    counts[list(empty)] = 0
    return counts


def make_class(name, row, column_shares, names, i):
    total = int(row.sum())
    off = np.where(np.arange(len(row)) == i, 0, row)
    top = int(off.argmax())
    return ClassRobustness(
        name=name,
        samples=total,
        clean=make_share(round(CLEAN * total), total),
        robust=make_share(int(row[i]), total),
        boundary_error=(round(CLEAN * total) - int(row[i])) / total if total else None,
        out_flow=1 - row[i] / total if total else None,
        in_flow=float(column_shares.sum() - column_shares[i]) if total else None,
        net_flow=0.0 if total else None,
        concentration=0.4 if off.any() else None,
        top_target=names[top] if off.any() else None,
        top_share=off[top] / total if off.any() else None,
    )


def make_pairs(shares, tolerance):
    off = shares - np.diag(np.diag(shares))
    top = off.argmax(axis=1)
    return [
        (i, int(j))
        for i, j in enumerate(top)
        if top[j] == i and i < j and abs(off[i, j] - off[j, i]) < tolerance and off[i, j] > 0
    ]


def make_statistic(value, p):
    return Statistic(value=value, null=0.37, p=p, null_draws=2000, null_name="rows shuffled")


def make_analysis(classes=10, names=None, seed=0, empty=(), p=0.2):
    names = names or [f"class {i}" for i in range(classes)]
    counts = make_counts(len(names), seed, empty)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [make_class(n, counts[i], shares[:, i], names, i) for i, n in enumerate(names)]
    defined = [row for row in rows if row.robust.value is not None]
    ranked = sorted(defined, key=lambda row: row.robust.value)
    values = [row.robust.value for row in ranked]
    off = counts.sum() - np.trace(counts)
    similar = np.random.default_rng(seed).uniform(-0.4, 0.6, shares.shape)
    similar = (similar + similar.T) / 2
    np.fill_diagonal(similar, 1)
    return Analysis(
        classes=names,
        attack="PGD(ball=Linf(eps=0.2), step_size=0.05, steps=20) on cross_entropy",
        samples=int(counts.sum()),
        counts=counts.tolist(),
        attack_matrix=[
            row.tolist() if total else [None] * len(row)
            for row, total in zip(shares, counts.sum(axis=1), strict=True)
        ],
        undefined_classes=[names[i] for i in empty],
        success_rate=make_share(int(off), int(counts.sum())),
        success_rate_over_correct=make_share(int(off), int(counts.sum())),
        symmetry={
            "0.05": make_statistic(0.44, p),
            "0.1": make_statistic(0.62, p),
            "0.2": make_statistic(0.82, p),
        },
        correlation=make_statistic(0.36, 0.015),
        rank_correlation=make_statistic(0.31, 0.03),
        maximum_symmetry_pairs=make_pairs(shares, 0.2),
        literal_pairs=[],
        tolerance=0.2,
        weight_similarity=similar.tolist(),
        weights_reason="last linear layer",
        mantel=make_statistic(0.74, 0.002),
        per_class=rows,
        worst_class=ranked[0].name,
        best_class=ranked[-1].name,
        class_gap=values[-1] - values[0],
        class_std=float(np.std(values)),
        class_cv=0.3,
        symmetry_index=0.55,
        bowker=Statistic(value=40.2, null=None, p=0.3, null_draws=0, null_name="chi-squared"),
        seed=seed,
    )


def make_audit(verdict="sound", name="small_cnn", data="digits", **options):
    analysis = make_analysis(**options)
    counts = np.array(analysis.counts)
    total, kept = int(counts.sum()), int(np.trace(counts) * 0.9)
    robust = make_share(kept, total)
    per_class = [
        ClassAccuracy(
            name=row.name,
            samples=row.samples,
            clean=row.clean.value,
            robust=row.robust.value,
            clean_interval=(row.clean.low, row.clean.high) if row.samples else None,
            robust_interval=(row.robust.low, row.robust.high) if row.samples else None,
        )
        for row in analysis.per_class
    ]
    return Audit(
        clean_accuracy=CLEAN,
        robust_accuracy=robust.value,
        interval=(robust.low, robust.high),
        samples=total,
        attacks={
            "fgsm": robust.value + 0.2,
            "pgd": robust.value + 0.02,
            "pgd_margin": robust.value,
        },
        per_class=per_class,
        attack_matrix=analysis.attack_matrix,
        symmetry={
            key: RatioAndP(ratio=entry.value, null=entry.null, p=entry.p)
            for key, entry in analysis.symmetry.items()
        },
        maximum_symmetry_pairs=analysis.maximum_symmetry_pairs,
        tolerance=analysis.tolerance,
        verdict=verdict,
        checks=[
            Check(name=n, passed=otherwise != verdict, evidence=text, otherwise=otherwise)
            for n, text, otherwise in CHECKS
        ],
        mode="exact",
        passes=Passes(forward=26000, backward=24000),
        seconds=12.3,
        attack_matrices={"fgsm": analysis.attack_matrix},
        attack_options={
            "fgsm": "FGSM(ball=Linf(eps=0.2)) on cross_entropy",
            "pgd": analysis.attack,
            "pgd_margin": "PGD(ball=Linf(eps=0.2), steps=20) on margin, until first success",
        },
        analysis=analysis,
        classes=analysis.classes,
        eps=0.2,
        norm="linf",
        seed=0,
        model=name,
        data=data,
        undecided=[17],
        versions={"classward": "0.1.0", "torch": "2.13.0"},
    )


def make_curve(classes=10, names=None, empty=(), eps=0.2, norm="linf", level=CLEAN):
    """Classes whose accuracy falls off the faster, the lower their number."""
    names = names or [f"class {i}" for i in range(classes)]
    radii = [eps * part for part in (0, 0.25, 0.5, 0.75, 1, 1.5, 2)]
    pace = np.linspace(2.5, 0.4, len(names))
    rows = level * np.exp(-np.outer(pace, radii) / max(eps, 1e-9))
    areas = (np.diff(radii) * (rows[:, 1:] + rows[:, :-1]) / 2).sum(axis=1) / radii[-1]
    undefined = [i in empty for i in range(len(names))]
    every = np.delete(rows, list(empty), axis=0).mean(axis=0).tolist()
    bounds = [(max(value - 0.04, 0.0), min(value + 0.04, 1.0)) for value in every]
    return Curve(
        radii=radii,
        accuracy=every,
        intervals=bounds,
        per_class=[
            [None] * 7 if none else row
            for none, row in zip(undefined, rows.tolist(), strict=True)
        ],
        class_intervals=[[None] * 7 if none else bounds for none in undefined],
        auc=float(np.delete(areas, list(empty)).mean()),
        class_auc=[None if none else area for none, area in zip(undefined, areas, strict=True)],
        classes=names,
        norm=norm,
        attack="PGD(ball=Linf(eps=0.2), steps=20) on margin, until first success",
        samples=60 * (len(names) - len(empty)),
        passes=Passes(forward=12000, backward=9000),
    )


def make_correction(adaptive=4):
    rows = [("pgd", 23, 454, 450), ("mim", 19, 436, 430), ("deepfool", 10, 484, 480)]
    return CorrectionTable(
        corrector="Corrector(hidden=500, epochs=100)",
        fitted_on=["pgd"],
        training_samples=1200,
        clean=make_share(582, 597),
        clean_corrected=make_share(513, 597),
        clean_selected=make_share(507, 582),
        gray_box=[
            CorrectionRow(
                attack=name,
                no_defense=make_share(bare, 597),
                gray_box=make_share(gray, 597),
                gray_box_selected=make_share(selected, 582),
            )
            for name, bare, gray, selected in rows
        ],
        adaptive={
            "pgd": make_share(adaptive + 5, 597),
            "pgd_margin": make_share(adaptive, 597),
        },
        adaptive_worst=make_share(adaptive, 597),
        eps=8 / 255,
        norm="linf",
    )


def make_transfer():
    names = ["pgd", "mim", "deepfool", "carlini_wagner", "union"]
    rng = np.random.default_rng(3)
    return TransferTable(
        attacks=[*names[:4], "clean"],
        correctors=names,
        accuracy=[
            [make_share(int(n), 582) for n in rng.integers(90, 560, 5)] for _ in range(5)
        ],
        samples=582,
    )


def make_training():
    kept = {
        "adversarial_training": (573, 352, 308, 259),
        "trades": (568, 319, 296, 195),
        "symmetry_aware": (573, 390, 368, 275),
    }
    columns = ("clean", "fgsm", "pgd", "worst case")
    return DefenseTable(
        defenses=[
            DefenseRow(
                defense=name,
                options=f"{'TRADES' if name == 'trades' else name.title().replace('_', '')}()",
                accuracy={c: make_share(n, 597) for c, n in zip(columns, counts, strict=True)},
                seconds=8.4,
            )
            for name, counts in kept.items()
        ],
        training={"data": "digits", "epochs": 15, "lr": 0.05},
        difference={
            "clean": (0.0, -0.012, 0.012),
            "fgsm": (0.064, 0.031, 0.096),
            "pgd": (0.1, 0.066, 0.134),
            "worst case": (0.027, -0.008, 0.061),
        },
    )


def make_demo(**options):
    return Demo(
        audit=make_audit(**options),
        correction=make_correction(),
        transfer=make_transfer(),
        one_layer=make_share(239, 597),
        training=make_training(),
        seconds={"standard training": 2.4, "attacks": 5.1, "correction": 8.2, "training": 22.0},
        findings=["Correction recovers 76.0% gray-box.", "It does not hold adaptively."],
    )


def make_difference(lost, gained, total=200, p=0.5, adjusted_p=None):
    step = (gained - lost) / max(total, 1)
    figures = {
        "reference": 0.6, "other": 0.6 + step, "difference": step, "low": step - 0.05,
        "high": step + 0.05, "p": p, "adjusted_p": adjusted_p,
    }  # fmt: skip
    if total == 0:
        figures = dict.fromkeys(figures)
    return Difference(lost=lost, gained=gained, total=total, **figures)


def make_comparison(classes=4, names=None, others=1, name="runs/b", data="digits", empty=()):
    names = names or [f"class {i}" for i in range(classes)]
    rng = np.random.default_rng(5)
    change = rng.uniform(-0.3, 0.3, (len(names), len(names)))
    change -= change.mean(axis=1, keepdims=True)
    matrix = [[None] * len(names) if i in empty else r for i, r in enumerate(change.tolist())]
    flow = make_difference(2, 30, 60, p=1e-6, adjusted_p=0.001)
    against = RunDifference(
        name=name,
        clean=make_difference(5, 4, p=1.0),
        attacks={"pgd": make_difference(30, 5, p=1e-5)},
        worst_case=make_difference(40, 6, p=1e-6),
        per_class=[
            ClassDifference(
                name=entry,
                clean=make_difference(1, 1, 0 if i in empty else 60),
                robust=make_difference(
                    i % 7, 0, 0 if i in empty else 60, adjusted_p=0.01 if i % 7 > 2 else 1.0
                ),
            )
            for i, entry in enumerate(names)
        ],
        matrix=matrix,
        flows=[FlowDifference(source=names[1], target=names[0], share=flow)],
        pairs_gained=[(0, 1)],
        pairs_lost=[],
    )
    run = ComparedRun(
        name="runs/a",
        model="small_cnn",
        verdict="sound",
        eps=8 / 255,
        norm="linf",
        attacks={"pgd": "PGD(ball=Linf(eps=0.03))"},
        maximum_symmetry_pairs=[],
    )
    other = ComparedRun.from_dict(run.to_dict() | {"name": name, "model": name})
    return Comparison(
        data=data,
        samples=200,
        classes=names,
        tolerance=0.2,
        runs=[run] + [other] * others,
        differences=[against] * others,
    )


def make_examples(source="class 3", target="class 9", channels=1, count=2):
    rng = np.random.default_rng(1)
    clean = rng.integers(0, 256, (8, 8, channels), dtype=np.uint8)
    adversarial = np.clip(clean + rng.integers(-20, 21, clean.shape), 0, 255).astype(np.uint8)
    example = PairExample(
        source=source,
        target=target,
        clean=clean,
        adversarial=adversarial,
        clean_prediction=source,
        adversarial_prediction=target,
    )
    return [example] * count


analysis_of = pytest.fixture(lambda: make_analysis, scope="session")
audit_of = pytest.fixture(lambda: make_audit, scope="session")
curve_of = pytest.fixture(lambda: make_curve, scope="session")
correction_of = pytest.fixture(lambda: make_correction, scope="session")
transfer_of = pytest.fixture(lambda: make_transfer, scope="session")
training_of = pytest.fixture(lambda: make_training, scope="session")
comparison_of = pytest.fixture(lambda: make_comparison, scope="session")
demo_of = pytest.fixture(lambda: make_demo, scope="session")
examples_of = pytest.fixture(lambda: make_examples, scope="session")


@pytest.fixture(scope="session")
def every_result():
    """One result of each kind that has a page."""
    made = (
        make_audit(), make_analysis(), make_correction(), make_transfer(), make_training(),
        make_demo(), make_comparison(others=2),
    )  # fmt: skip
    return {type(entry).__name__: entry for entry in made}

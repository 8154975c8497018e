"""What the demo shows, in sentences made from its numbers: what holds, and what does not."""

from collections.abc import Mapping

from classward.records.audit_result import Audit
from classward.records.correction_result import CorrectionTable, TransferTable
from classward.records.defense_result import DefenseTable
from classward.records.result import Pairs, Share

SIGNIFICANT = 0.05


def findings(
    audit: Audit,
    correction: CorrectionTable,
    transfer: TransferTable,
    one_layer: Share,
    training: DefenseTable,
    pairs: Mapping[str, Pairs],
) -> list[str]:
    """One sentence for each part of the story."""
    return [
        _attack(audit),
        _symmetry(audit),
        _pairs(audit, pairs),
        _correction(correction, one_layer),
        _transfer(transfer),
        _adaptive(correction),
        _training(training, "pgd"),
        _training(training, "worst case"),
    ]


def _attack(audit: Audit) -> str:
    return (
        f"Attacks at eps {audit.eps:g} take the network from {audit.clean_accuracy:.1%} to "
        f"{audit.robust_accuracy:.1%}."
    )


def _symmetry(audit: Audit) -> str:
    tight = audit.symmetry["0.05"]
    correlation = audit.analysis.correlation
    ratio = (
        f"{tight.ratio:.0%} of class pairs are symmetric within 0.05, chance gives "
        f"{tight.null:.0%} (p = {tight.p:.2g})"
    )
    held = "holds" if tight.p < SIGNIFICANT else "does not hold"
    if correlation is None:
        return f"Symmetry as a ratio {held} on digits: {ratio}."
    also = "holds" if correlation.p < SIGNIFICANT else "does not hold"
    return (
        f"Symmetry as a ratio {held} beyond chance: {ratio}; as a correlation of M_ij with "
        f"M_ji it {also}: {correlation.value:.2f} (p = {correlation.p:.2g})."
    )


def _pairs(audit: Audit, pairs: Mapping[str, Pairs]) -> str:
    def named(found: Pairs) -> str:
        return ", ".join(f"{audit.classes[i]}-{audit.classes[j]}" for i, j in found) or "none"

    each = "; ".join(f"{attack}: {named(found)}" for attack, found in pairs.items())
    same = len({frozenset(found) for found in pairs.values()}) == 1
    fixed = "the same under every attack" if same else "not the same under every attack"
    return (
        f"Maximum symmetry pairs are {named(audit.maximum_symmetry_pairs)}; {fixed} ({each})."
    )


def _correction(correction: CorrectionTable, one_layer: Share) -> str:
    row = next(row for row in correction.gray_box if row.attack == "pgd")
    return (
        f"The corrector brings PGD from {_said(row.no_defense)} back to "
        f"{_said(row.gray_box_selected)} of what was right, with one layer {_said(one_layer)}; "
        f"it keeps {_said(correction.clean_selected)} of the clean predictions that were right."
    )


def _transfer(transfer: TransferTable) -> str:
    at = {
        (row, column): transfer.accuracy[i][j]
        for i, row in enumerate(transfer.attacks)
        for j, column in enumerate(transfer.correctors)
    }
    return (
        f"Transfer is lopsided: fitted on PGD it corrects {_said(at['deepfool', 'pgd'])} of "
        f"DeepFool's, fitted on DeepFool {_said(at['pgd', 'deepfool'])} of PGD's."
    )


def _adaptive(correction: CorrectionTable) -> str:
    worst = correction.adaptive_worst
    return (
        f"An attacker who knows the corrector leaves {_said(worst)} right, whatever the "
        "gray-box column shows."
    )


def _training(training: DefenseTable, column: str) -> str:
    first, last = training.defenses[0].defense, training.defenses[-1].defense
    change, low, high = training.difference[column]
    verb = "beats" if low > 0 else "is beaten by" if high < 0 else "does not differ from"
    return (
        f"Under {column}, {last} {verb} {first} at equal cost: {100 * change:+.1f} points "
        f"[{100 * low:+.1f}, {100 * high:+.1f}], one seed."
    )


def _said(share: Share) -> str:
    return "an undefined share" if share.value is None else f"{share.value:.1%}"

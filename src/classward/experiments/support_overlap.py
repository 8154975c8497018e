"""Do attacks of the same supporting classes share their correctors?

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Sec. 5.2, where four coefficients are set beside Table 3.
Reading: whether they go together is a rank correlation over all pairs of attacks, both ways.
Chance is what the same coefficients show with the attacks in another order; of four attacks
there are 24 orders, so no p is below 0.04.
"""

from collections.abc import Mapping
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

from classward.analysis.significance import against_null, average_ranks
from classward.analysis.supporting_classes import bhattacharyya
from classward.records.correction_result import TransferTable
from classward.records.correction_study_result import SupportOverlap
from classward.records.explanation_result import Explanation
from classward.records.result import Statistic

ORDERS = "attacks in every other order"


def support_overlap(
    explanations: Mapping[str, Explanation], transfer: TransferTable
) -> SupportOverlap:
    """Overlap of the supporting classes of each two attacks, and its correlation with transfer.

    Args:
        explanations: Attack -> what its own corrector listens to under it.
        transfer: Correctors and attacks, those of `explanations` among them.
    """
    names = list(explanations)
    counts = [explanation.attacks[0].joined.counts for explanation in explanations.values()]
    classes = sorted(set().union(*counts))
    tables = [torch.tensor([one.get(name, 0) for name in classes]) for one in counts]
    overlap = [[bhattacharyya(one, other) for other in tables] for one in tables]
    rows = [transfer.accuracy[transfer.attacks.index(name)] for name in names]
    columns = [transfer.correctors.index(name) for name in names]
    accuracy = [[row[column].value for column in columns] for row in rows]
    return SupportOverlap(
        attacks=names,
        overlap=overlap,
        correlation=order_test(torch.tensor(overlap), torch.tensor(accuracy)),
    )


def order_test(one: Float[Tensor, "a a"], other: Float[Tensor, "a a"]) -> Statistic | None:
    """Spearman's correlation of two tables off the diagonal, beside every other order of one.

    Returns:
        `None` where either table has no two different entries off the diagonal.
    """
    off = ~torch.eye(len(one), dtype=torch.bool)
    ranks = average_ranks(other[off])
    orders = [torch.tensor(order) for order in permutations(range(len(one)))]
    shuffled = torch.stack([average_ranks(one[order][:, order][off]) for order in orders])
    values = torch.corrcoef(torch.cat([ranks[None], shuffled]))[0, 1:]
    if len(one) < 3 or not values.isfinite().all():
        return None
    return against_null(values[0].item(), values[1:], ORDERS)

"""Detectors of attacked inputs that see logits alone: scores, and two that are fitted.

Source: the scores are those that the literature compares with: largest logit, margin, entropy
and energy (Liu et al., "Energy-based Out-of-distribution Detection", arXiv:2010.03759, Sec. 3);
the mean logit is that of Fig. 1 of Li et al., arXiv:1906.10973.
Reading: whether an attack raises a score or lowers it differs between attacks and networks, so
every detector learns its sign.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from classward.core.errors import InputError
from classward.core.options import checked
from classward.core.types import Logits
from classward.correction.pool import check_final
from classward.records.record import Record

Score = Literal[
    "mean", "largest", "second", "lowest", "margin", "entropy", "energy", "lda", "head"
]


def _margin(logits: Logits) -> Tensor:
    first, second = logits.topk(2, dim=1).values.unbind(dim=1)
    return first - second


def _entropy(logits: Logits) -> Tensor:
    shares = logits.log_softmax(dim=1)
    return -(shares.exp() * shares).sum(dim=1)


SCORES: dict[str, Callable[[Logits], Tensor]] = {
    "mean": lambda logits: logits.mean(dim=1),
    "largest": lambda logits: logits.amax(dim=1),
    "second": lambda logits: logits.topk(2, dim=1).values[:, 1],
    "lowest": lambda logits: logits.amin(dim=1),
    "margin": _margin,
    "entropy": _entropy,
    "energy": lambda logits: -logits.logsumexp(dim=1),
}
# lda: shrinkage discriminant on the logits; head: logistic regression on them in order of size.
FITTED: dict[str, Callable[[], Any]] = {
    "lda": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "head": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
}


class Detector(BaseEstimator):
    """Says how attacked logits look, after it has seen some that are and some that are not.

    Args:
        score: One of `SCORES`, of which only the sign is learned; "lda", a linear discriminant
            with shrinkage on the logits; "head", a logistic regression on the sorted logits.

    Attributes:
        sign_: 1 where attacks raise the score, -1 where they lower it.

    Raises:
        ValueError: If there is no such score.
    """

    sign_: int

    @checked
    def __init__(self, *, score: Score = "lda") -> None:
        self.score = score

    def fit_records(self, records: Sequence[Record]) -> "Detector":
        """Learn from the samples that were right before an attack and fell to it.

        Raises:
            InputError: If there is no record, one is not of final iterates, or none fell.
        """
        if not records:
            raise InputError("a detector needs at least one attack record, got none")
        for number, record in enumerate(records):
            check_final(record, f"record {number}")
        pairs = [pair_of(record) for record in records]
        return self.fit(*(torch.cat(rows) for rows in zip(*pairs, strict=True)))

    def fit(self, clean: Logits, attacked: Float[Tensor, "m k"]) -> "Detector":
        """Learn from logits.

        Args:
            clean: Of images as they are, n x k.
            attacked: Of attacked ones, m x k.

        Raises:
            InputError: If either is empty.
        """
        if len(clean) == 0 or len(attacked) == 0:
            raise InputError("a detector needs logits of both kinds, clean and attacked")
        truth = np.repeat([0, 1], [len(clean), len(attacked)])
        logits = torch.cat([clean, attacked])
        if self.score in FITTED:
            self.model_ = FITTED[self.score]().fit(self._features(logits), truth)
        self.sign_ = 1
        self.sign_ = 1 if roc_auc_score(truth, self.decision_function(logits)) >= 0.5 else -1
        return self

    def decision_function(self, logits: Logits) -> Float[np.ndarray, " n"]:
        """How attacked each row looks: more is more."""
        check_is_fitted(self, "sign_")
        if self.score in FITTED:
            return self.sign_ * self.model_.decision_function(self._features(logits))
        return self.sign_ * SCORES[self.score](logits).numpy().astype(np.float64)

    def _features(self, logits: Logits) -> np.ndarray:
        ordered = logits.sort(dim=1).values if self.score == "head" else logits
        return ordered.double().numpy()


def pair_of(record: Record) -> tuple[Float[Tensor, "n k"], Float[Tensor, "m k"]]:
    """Clean logits of the samples that were right, and attacked ones of those that fell."""
    right: Bool[Tensor, " n"] = record.correct
    return record.clean_logits[right], record.adversarial_logits[right & record.success]

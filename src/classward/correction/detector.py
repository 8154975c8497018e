"""Detectors of attacked inputs that see logits alone: scores, and some that are fitted.

Source: of each score, the file `logit_scores`.
Reading: whether an attack raises a score or lowers it differs between attacks and networks, so
every detector learns its sign.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from classward.core.errors import InputError
from classward.core.options import checked
from classward.core.types import Logits
from classward.correction.corrector import Corrector
from classward.correction.logit_scores import FITTED, OF_CORRECTOR, SCORES
from classward.correction.pool import check_final
from classward.records.record import Record

Score = Literal[
    "mean",
    "largest",
    "second",
    "lowest",
    "margin",
    "entropy",
    "energy",
    "lda",
    "head",
    "distance",
    "moved",
    "overruled",
]
FALSE_ALARMS = 0.05  # share of the clean logits of the fit that are flagged


class Detector(BaseEstimator):
    """Says how attacked logits look, after it has seen some that are and some that are not.

    Args:
        score: One of `SCORES`, of which only the sign is learned; "lda", a linear discriminant
            with shrinkage; "head", a logistic regression on the sorted logits; "distance", the
            Mahalanobis distance to the nearest class; "moved", how far a corrector moves the
            logits, their mean aside, which no fit of it sees; "overruled", by how much it
            prefers another class, 0 where it does not.
        corrector: A fitted one, for the last two.

    Attributes:
        sign_: 1 where attacks raise the score, -1 where they lower it.
        threshold_: What 5 % of the clean logits of the fit exceed; beyond, logits are flagged.

    Raises:
        ValueError: If there is no such score.
    """

    sign_: int
    threshold_: float

    @checked
    def __init__(self, *, score: Score = "lda", corrector: Corrector | None = None) -> None:
        self.score = score
        self.corrector = corrector

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
            InputError: If either is empty, or the score needs a corrector that is not given.
        """
        if len(clean) == 0 or len(attacked) == 0:
            raise InputError("a detector needs logits of both kinds, clean and attacked")
        self.measure_ = self._measure(clean, attacked)
        self.sign_ = 1
        scores = [self.decision_function(rows) for rows in (clean, attacked)]
        truth = np.repeat([0, 1], [len(clean), len(attacked)])
        self.sign_ = 1 if roc_auc_score(truth, np.concatenate(scores)) >= 0.5 else -1
        self.threshold_ = float(np.quantile(self.sign_ * scores[0], 1 - FALSE_ALARMS))
        return self

    def scores(self, logits: Logits) -> Float[Tensor, " n"]:
        """How attacked each row looks: more is more. Differentiable, on any device."""
        check_is_fitted(self, "sign_")
        return self.sign_ * self.measure_(logits)

    def decision_function(self, logits: Logits) -> Float[np.ndarray, " n"]:
        """The same as an array."""
        with torch.no_grad():
            return self.scores(logits).double().numpy()

    def flags(self, logits: Logits) -> Bool[np.ndarray, " n"]:
        """Whether each row is taken for attacked."""
        return self.decision_function(logits) > self.threshold_

    def _measure(
        self, clean: Logits, attacked: Float[Tensor, "m k"]
    ) -> Callable[[Tensor], Tensor]:
        if self.score in FITTED:
            return FITTED[self.score](clean, attacked)
        if self.score in SCORES:
            return SCORES[self.score]
        if self.corrector is None:
            raise InputError(f"a detector by '{self.score}' needs a corrector: give corrector")
        check_is_fitted(self.corrector)
        network, compare = self.corrector.network_, OF_CORRECTOR[self.score]
        return lambda logits: compare(logits, network.to(logits.device)(logits))


def pair_of(record: Record) -> tuple[Float[Tensor, "n k"], Float[Tensor, "m k"]]:
    """Clean logits of the samples that were right, and attacked ones of those that fell."""
    right: Bool[Tensor, " n"] = record.correct
    return record.clean_logits[right], record.adversarial_logits[right & record.success]

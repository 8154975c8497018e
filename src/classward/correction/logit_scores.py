"""Scores of logits that detectors compare: as they are, fitted, or beside corrected ones.

Paper: Liu et al., "Energy-based Out-of-distribution Detection", arXiv:2010.03759, Sec. 3
(energy, beside the largest logit and the others that the literature compares with).

Paper: Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and
Adversarial Attacks", arXiv:1807.03888, Eq. 2 (distance, here of the logits alone).

The mean logit is that of Fig. 1 of Li et al., arXiv:1906.10973. Each score is a differentiable
function of the logits, for whoever attacks a detector.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int64
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from classward.core.types import Logits

Others = Float[Tensor, "m k"]  # attacked logits, as many as there are


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


def _weighted(logits: Logits, *, weights: Tensor, offset: float, ordered: bool) -> Tensor:
    rows = logits.sort(dim=1).values if ordered else logits
    return rows.double() @ weights.to(logits.device) + offset


def _pooled(
    clean: Logits, attacked: Others
) -> tuple[Float[np.ndarray, "p k"], Int64[np.ndarray, " p"]]:
    truth = np.repeat([0, 1], [len(clean), len(attacked)])
    return torch.cat([clean, attacked]).double().numpy(), truth


def _lda(clean: Logits, attacked: Others) -> Callable[[Tensor], Tensor]:
    """Discriminant on the logits, with shrinkage."""
    made = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    made.fit(*_pooled(clean, attacked))
    weights = torch.from_numpy(made.coef_[0])
    return partial(_weighted, weights=weights, offset=float(made.intercept_[0]), ordered=False)


def _head(clean: Logits, attacked: Others) -> Callable[[Tensor], Tensor]:
    """Logistic regression on the logits in order of size."""
    rows, truth = _pooled(clean.sort(dim=1).values, attacked.sort(dim=1).values)
    scaler = StandardScaler().fit(rows)
    made = LogisticRegression(max_iter=1000).fit(scaler.transform(rows), truth)
    weights = made.coef_[0] / scaler.scale_
    offset = float(made.intercept_[0] - weights @ scaler.mean_)
    return partial(_weighted, weights=torch.from_numpy(weights), offset=offset, ordered=True)


def _mahalanobis(logits: Logits, *, means: Tensor, precision: Tensor) -> Tensor:
    apart = logits.double()[:, None, :] - means.to(logits.device)
    return ((apart @ precision.to(logits.device)) * apart).sum(dim=2).amin(dim=1)


def _distance(clean: Logits, attacked: Others) -> Callable[[Tensor], Tensor]:
    """To the nearest class of the clean logits, whose covariance, with shrinkage, is shared."""
    said, rows = clean.argmax(dim=1), clean.double()
    means = torch.stack([rows[said == k].mean(dim=0) for k in said.unique()])
    within = rows - means[said.unique(return_inverse=True)[1]]
    covariance, _ = ledoit_wolf(within.numpy(), assume_centered=True)
    precision = torch.from_numpy(np.linalg.pinv(covariance, hermitian=True))
    return partial(_mahalanobis, means=means, precision=precision)


FITTED: dict[str, Callable[[Logits, Logits], Callable[[Tensor], Tensor]]] = {
    "lda": _lda,
    "head": _head,
    "distance": _distance,
}


def _moved(logits: Logits, corrected: Logits) -> Tensor:
    change = corrected - logits
    return (change - change.mean(dim=1, keepdim=True)).norm(dim=1)


def _overruled(logits: Logits, corrected: Logits) -> Tensor:
    said = logits.argmax(dim=1, keepdim=True)
    return corrected.amax(dim=1) - corrected.gather(1, said).squeeze(1)


# Of logits and corrected logits.
OF_CORRECTOR: dict[str, Callable[[Logits, Logits], Tensor]] = {
    "moved": _moved,
    "overruled": _overruled,
}

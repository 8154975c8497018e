"""The logits corrector: gives back the prediction of attacked images, from logits alone.

Paper: Li et al., "Defending Adversarial Attacks by Correcting logits", arXiv:1906.10973,
Algorithm 1 and Sec. 4.3.
Reading: what to recover, the label of Algorithm 1 or the original prediction of the text, is
an option (decision 006).
Not to be confused with: a robust classifier. An attacker who knows the corrector goes through
it; `classward.evaluation.adaptive` measures that.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64
from numpy.typing import ArrayLike
from pydantic import Field
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch.nn import functional as F

from classward.core.errors import InputError
from classward.core.options import Count, NonNegative, Positive, Real, checked
from classward.core.types import Logits
from classward.correction.file import read, write
from classward.correction.network import CorrectionNetwork, of_weights
from classward.correction.onnx_file import write_onnx
from classward.correction.pool import Pool, Target, check_records
from classward.correction.tables import read_given, read_labels
from classward.records.record import Record
from classward.records.rows import Rows

Share = Annotated[Real, Field(ge=0, le=1)]
KeptShare = Annotated[Real, Field(gt=0, le=1)]
Table = ArrayLike | Any  # scikit-learn says itself what it cannot read
Progress = Callable[[int, int], None]  # (done, of how many)
ROWS = 1024  # corrected at a time: 40 MB of hidden neurons at the paper's size
FACTS = ("loss_curve_", "fitted_on_", "training_samples_")  # of the fit, besides its weights


class Corrector(ClassifierMixin, TransformerMixin, BaseEstimator):
    """Fully connected layers from logits to logits, as a scikit-learn estimator.

    The defaults are the paper's and presuppose a million samples; `Corrector.small()` is for a
    few thousand, `Corrector.union()` for those of several attacks. Options are checked here,
    and by the fit once more: `set_params` changes them.

    Args:
        hidden: Neurons of a hidden layer; `None` is the paper's ten for each class.
        layers: 2, or 1 for the linear ablation, or 3 for a second hidden layer.
        ranks: Neurons of a second network, over sorted logits, that scores ranks; `None` is the
            paper's corrector without it.
        keep: Share of hidden neurons that a training step keeps (dropout).
        p: Share that a sample shows its clean logits, drawn anew each epoch.
        target: What `fit_records` recovers: the data set's "label" or the clean "prediction".
        scale: Logits are divided by it; folded into the first layer after the fit.
        learning_rate: Step size of Adam.
        weight_decay: Weight of the l2 penalty in Adam's gradient.
        batch_size: Samples in a step.
        epochs: Passes over the samples.
        precision: "exact" float32, or "fast" matrix products in bfloat16, of the fit alone.
        seed: Fixes first weights, order, draws and dropout.
        device: Where to fit, such as "cuda"; the fitted network is on the CPU.

    Attributes:
        network_: The module from logits to corrected logits.
        classes_: Class ids, 0..k-1.
        n_features_in_: Number of logits k.
        loss_curve_: Mean cross-entropy of each epoch, in nats.
        fitted_on_: Attacks of the records it was fitted on.
        training_samples_: Number of samples it was fitted on.

    Raises:
        ValueError: If an option is unknown or unfit.
    """

    target: Target
    network_: CorrectionNetwork
    classes_: Int64[np.ndarray, " k"]
    n_features_in_: int
    loss_curve_: list[float]
    fitted_on_: list[str]
    training_samples_: int

    @checked
    def __init__(
        self,
        *,
        hidden: Count | None = None,
        layers: Literal[1, 2, 3] = 2,
        ranks: Count | None = None,
        keep: KeptShare = 0.5,
        p: Share = 0.3,
        target: Target = "label",
        scale: Positive = 1.0,
        learning_rate: Positive = 5e-5,
        weight_decay: NonNegative = 1e-4,
        batch_size: Count = 256,
        epochs: Count = 50,
        precision: Literal["exact", "fast"] = "exact",
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.hidden = hidden
        self.layers = layers
        self.ranks = ranks
        self.keep = keep
        self.p = p
        self.target = target
        self.scale = scale
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.precision = precision
        self.seed = seed
        self.device = device

    @classmethod
    def small(cls, **options: Any) -> "Corrector":
        """Options for a few thousand samples of about ten classes; each may be overridden."""
        preset = {"hidden": 500, "scale": 10.0, "learning_rate": 3e-3, "epochs": 300}
        return cls(**(preset | options))

    @classmethod
    def union(cls, **options: Any) -> "Corrector":
        """Options for a few thousand samples of several attacks; each may be overridden."""
        return cls.small(**({"ranks": 128, "p": 0.7} | options))

    def fit(self, X: Table, y: ArrayLike | None) -> "Corrector":  # noqa: N803
        """Learn to give the classes `y` for the logits `X`, whatever made them.

        Args:
            X: Logits, n x k.
            y: The class to give for each row, 0..k-1.

        Raises:
            ValueError: If an option is unfit.
            InputError: If the logits or the classes are unfit, or the fit diverges.
        """
        logits = read_given(self, X, fitting=True)
        labels = read_labels(y, logits)
        rows = Rows([logits])
        return self._learn(Pool(rows, rows, labels, torch.arange(len(rows))), [], None)

    def fit_records(
        self, records: Sequence[Record], *, progress: Progress | None = None
    ) -> "Corrector":
        """Learn from attack records (Algorithm 1).

        Of several records of a sample, each is drawn alike likely.

        Args:
            records: Of the same classifier on training images.
            progress: Called after each epoch with the epochs done and all of them.

        Raises:
            ValueError: If an option is unfit.
            InputError: If there is no record, one is unfit, or the fit diverges.
        """
        if not records:
            raise InputError("fit_records: expected at least one record, got none")
        check_records(records)
        pool = Pool.of_records(records, Corrector(**self.get_params()).target)
        attacks = [str(record.settings.get("attack", "unknown")) for record in records]
        return self._learn(pool, attacks, progress)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def transform(self, X: Table) -> Float32[np.ndarray, "n k"]:  # noqa: N803
        """Corrected logits of each row.

        Raises:
            InputError: If the logits are unfit.
        """
        return self._corrected(X).numpy()

    def predict(self, X: Table) -> Int64[np.ndarray, " n"]:  # noqa: N803
        """Class of the largest corrected logit.

        Raises:
            InputError: If the logits are unfit.
        """
        return self._corrected(X).argmax(dim=1).numpy()

    def predict_proba(self, X: Table) -> Float32[np.ndarray, "n k"]:  # noqa: N803
        """Softmax of the corrected logits.

        Raises:
            InputError: If the logits are unfit.
        """
        return self._corrected(X).softmax(dim=1).numpy()

    def save(self, path: str | Path) -> None:
        """Write the fitted corrector as a safetensors file, atomically.

        Raises:
            SystemFaultError: If it cannot be written.
        """
        check_is_fitted(self)
        facts = {name: getattr(self, name) for name in FACTS}
        tensors = {name: values.cpu() for name, values in self.network_.state_dict().items()}
        write(path, tensors, {"options": self.get_params()} | facts)

    def export(self, path: str | Path) -> None:
        """Write the fitted corrector as an ONNX file, "logits" to "corrected", atomically.

        Raises:
            InputError: If the packages of the extra "onnx" are not installed.
            SystemFaultError: If it cannot be written.
        """
        check_is_fitted(self)
        write_onnx(self.network_, path)

    @classmethod
    def load(cls, path: str | Path) -> "Corrector":
        """Read what `save` wrote.

        Raises:
            InputError: If the file is absent, damaged or something else.
        """
        tensors, about = read(path)
        try:
            corrector = cls(**about["options"])
            network = of_weights(tensors, **corrector._layout(len(tensors["output.bias"])))
            return corrector._keep_fit(network, {name: about[name] for name in FACTS})
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise InputError(f"{path}: a corrector that this version cannot read") from None

    def _corrected(self, X: Table) -> Logits:  # noqa: N803
        check_is_fitted(self)
        logits = read_given(self, X, fitting=False)
        device = self.network_.output.weight.device  # of a classifier it may have become part
        with torch.inference_mode():
            parts = [self.network_(rows.to(device)).cpu() for rows in logits.split(ROWS)]
        return torch.cat(parts)

    def _layout(self, classes: int) -> dict[str, Any]:
        """Arguments of the network, besides what draws its weights."""
        hidden = None if self.layers == 1 else (self.hidden or 10 * classes)
        deep = self.layers == 3
        return {"classes": classes, "hidden": hidden, "deep": deep, "ranks": self.ranks}

    def _keep_fit(self, network: CorrectionNetwork, facts: dict[str, Any]) -> "Corrector":
        self.network_ = network.cpu().requires_grad_(False).eval()
        self.n_features_in_ = len(network.output.bias)
        self.classes_ = np.arange(self.n_features_in_)
        for name, value in facts.items():
            setattr(self, name, value)
        return self

    def _learn(self, pool: Pool, attacks: list[str], progress: Progress | None) -> "Corrector":
        options = Corrector(**self.get_params())  # checked anew: `set_params` does not
        if pool.samples == 0:
            raise InputError("a corrector needs at least one sample, got none")
        draws = torch.Generator().manual_seed(options.seed)
        layout = options._layout(pool.clean.shape[1])
        network = CorrectionNetwork(generator=draws, **layout).to(options.device)
        seed = torch.randint(2**62, (1,), generator=draws).item()
        dropout = torch.Generator(options.device).manual_seed(int(seed))
        optimizer = torch.optim.Adam(
            network.parameters(),
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
            fused=True,
        )
        fast = torch.autocast(dropout.device.type, torch.bfloat16, options.precision == "fast")
        curve: list[float] = []
        tell = progress or (lambda done, all_: None)
        tell(0, options.epochs)
        while len(curve) < options.epochs:
            total = torch.zeros((), device=options.device)
            rows, clean = pool.draw(options.p, draws)
            for batch, shows in zip(
                rows.split(options.batch_size), clean.split(options.batch_size), strict=True
            ):
                logits, targets = pool.batch(batch, shows, options.device)
                factors = network.dropout(len(batch), options.keep, dropout)
                with fast:
                    corrected = network(logits / options.scale, factors)
                loss = F.cross_entropy(corrected.float(), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += len(batch) * loss.detach()
            curve.append(total.item() / len(rows))
            if not isfinite(curve[-1]):
                raise InputError(f"the fit diverged in epoch {len(curve)}: lower learning_rate")
            tell(len(curve), options.epochs)
        network.fold(options.scale)
        facts = (curve, attacks, pool.samples)
        return self._keep_fit(network, dict(zip(FACTS, facts, strict=True)))

import re

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from classward.core.errors import InputError
from classward.correction.corrector import Corrector

QUICK = {"hidden": 128, "scale": 3.0, "learning_rate": 0.01, "batch_size": 64, "epochs": 20}


@pytest.fixture(scope="module")
def fitted(rolled):
    return Corrector.small(**QUICK).fit_records([rolled()])


def accuracy(corrector, record):
    """Under the attack, and on clean logits."""
    attacked = corrector.score(record.adversarial_logits, record.labels)
    return attacked, corrector.score(record.clean_logits, record.labels)


def same(one, other):
    return all(
        torch.equal(*pair)
        for pair in zip(one.network_.parameters(), other.network_.parameters(), strict=True)
    )


def test_the_defaults_are_the_papers():
    printed = {"keep": 0.5, "p": 0.3, "learning_rate": 5e-5, "weight_decay": 1e-4}
    printed |= {"batch_size": 256, "epochs": 50, "scale": 1.0, "layers": 2, "target": "label"}
    assert printed.items() <= Corrector().get_params().items()
    logits = np.random.default_rng(0).normal(size=(8, 12))
    fitted = Corrector(epochs=1).fit(logits, np.arange(8))
    assert fitted.network_.hidden.weight.shape == (120, 12)  # as 10,000 for 1,000 classes


def test_the_small_preset_can_be_overridden():
    preset = {"hidden": 500, "scale": 10.0, "learning_rate": 3e-3, "epochs": 300}
    assert preset.items() <= Corrector.small().get_params().items()
    assert Corrector.small(epochs=7).epochs == 7
    union = Corrector.union(p=0.5).get_params()
    assert union == Corrector.small(ranks=128, p=0.5).get_params()


def test_learns_what_the_attack_did(rolled, fitted):
    record = rolled(seed=1)
    attacked, clean = accuracy(fitted, record)
    assert record.robust_accuracy < 0.05
    assert attacked > 0.95 and clean > 0.9
    assert fitted.loss_curve_[-1] < 0.2 * fitted.loss_curve_[0]


def test_clean_logits_alone_teach_nothing_about_the_attack(rolled):
    record = rolled(seed=1)
    attacked, clean = accuracy(Corrector.small(p=1.0, **QUICK).fit_records([rolled()]), record)
    assert clean >= record.clean_accuracy - 0.01
    assert attacked < 0.1


def test_attacked_logits_alone_cost_the_clean_accuracy(rolled):
    attacked, clean = accuracy(
        Corrector.small(p=0.0, **QUICK).fit_records([rolled()]), rolled(seed=1)
    )
    assert attacked > 0.97 and clean < 0.1


def test_one_layer_cannot_do_what_two_can(rolled, fitted):
    # A linear map that rolls large logits back rolls small ones as well.
    linear = Corrector.small(layers=1, **QUICK).fit_records([rolled()])
    assert min(accuracy(linear, rolled(seed=1))) < 0.5 < min(accuracy(fitted, rolled(seed=1)))


def test_three_layers_learn_as_well(rolled):
    deep = Corrector.small(layers=3, **QUICK).fit_records([rolled()])
    assert min(accuracy(deep, rolled(seed=1))) > 0.9
    assert deep.network_.second.weight.shape == (128, 128)


def test_ranks_learn_a_rule_of_order_from_few_samples_of_each_class():
    """Answer the second-highest of thirty classes, from four samples of each."""
    draws = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(520, 30, generator=draws)
    labels = logits.topk(2).indices[:, 1]
    found = {}
    for ranks in (None, 16):
        made = Corrector.small(ranks=ranks, **QUICK).fit(logits[:120], labels[:120])
        found[ranks] = (made.predict(logits[120:]) == labels[120:].numpy()).mean()
    assert found[None] < 0.5 and found[16] > 0.95


@pytest.mark.parametrize("claimed", [{"layers": 3}, {"ranks": 7}])
def test_a_file_of_less_than_it_claims_is_refused(tmp_path, fitted, monkeypatch, claimed):
    options = fitted.get_params() | claimed
    monkeypatch.setattr(fitted, "get_params", lambda deep=True: options)
    fitted.save(tmp_path / "c")
    monkeypatch.undo()
    with pytest.raises(InputError, match="a corrector that"):
        Corrector.load(tmp_path / "c")


def test_the_target_is_the_label_or_the_prediction(rolled):
    record = rolled()
    record.labels.add_(1).remainder_(4)  # every label is wrong, every prediction as it was
    label, prediction = (
        Corrector.small(target=target, **QUICK).fit_records([record])
        for target in ("label", "prediction")
    )
    assert label.score(record.adversarial_logits, record.labels) > 0.97
    assert prediction.score(record.adversarial_logits, record.clean_predictions) > 0.97


def test_several_records_teach_each_attack(rolled):
    first, second = rolled(), rolled(seed=2)
    second.adversarial_logits.copy_(-second.clean_logits)
    union = Corrector.small(**QUICK).fit_records([first, second])
    assert accuracy(union, first)[0] > 0.97 and accuracy(union, second)[0] > 0.97
    assert union.fitted_on_ == ["Roll()", "Roll()"] and union.training_samples_ == 400


def test_fit_takes_arrays(rolled):
    record = rolled()
    logits = torch.cat([record.clean_logits, record.adversarial_logits]).double().numpy()
    labels = record.labels.repeat(2).numpy()
    fitted = Corrector.small(**QUICK).fit(logits, labels)
    assert fitted.score(logits, labels) > 0.97
    assert fitted.training_samples_ == 800 and fitted.fitted_on_ == []
    assert fitted.n_features_in_ == 4 and fitted.classes_.tolist() == [0, 1, 2, 3]


def test_outputs_agree_with_each_other(rolled, fitted):
    logits = rolled().adversarial_logits
    corrected, shares = fitted.transform(logits), fitted.predict_proba(logits)
    assert corrected.dtype == np.float32 and corrected.shape == (400, 4)
    np.testing.assert_allclose(corrected, fitted.network_(logits).numpy(), atol=1e-5)
    np.testing.assert_allclose(shares, torch.tensor(corrected).softmax(dim=1), atol=1e-6)
    assert (fitted.predict(logits) == corrected.argmax(axis=1)).all()
    assert fitted.predict(logits[:0]).shape == (0,)


def test_more_rows_than_are_corrected_at_a_time(rolled, fitted):
    logits = rolled(3000).clean_logits
    np.testing.assert_allclose(fitted.transform(logits)[2500:], fitted.transform(logits[2500:]))


def test_the_scale_is_folded_into_the_network(rolled):
    # Fitted on logits / 10 or on logits a tenth of the size: the same function.
    logits, labels = rolled().adversarial_logits, rolled().labels
    folded = Corrector(hidden=16, scale=10.0, epochs=3).fit(logits, labels)
    divided = Corrector(hidden=16, epochs=3).fit(logits / 10, labels)
    np.testing.assert_allclose(
        folded.transform(logits), divided.transform(logits / 10), atol=1e-5
    )
    assert folded.loss_curve_ == pytest.approx(divided.loss_curve_)


def test_the_seed_fixes_everything_and_the_global_one_nothing(rolled):
    record = rolled(100)

    def fit(seed):
        return Corrector.small(epochs=3, hidden=16, seed=seed).fit_records([record])

    numbers = torch.get_rng_state()
    first = fit(0)
    assert torch.equal(torch.get_rng_state(), numbers), "global random state used"
    torch.manual_seed(99)
    assert same(first, fit(0)) and not same(first, fit(1))
    torch.set_rng_state(numbers)


def test_dropout_is_on_while_fitting(rolled):
    record = rolled(100)
    half, none = (
        Corrector.small(epochs=1, hidden=16, keep=keep).fit_records([record])
        for keep in (0.5, 1.0)
    )
    assert not same(half, none)


def test_fast_precision_learns_as_well(rolled, fitted):
    fast = Corrector.small(precision="fast", **QUICK).fit_records([rolled()])
    assert min(accuracy(fast, rolled(seed=1))) > 0.95
    assert not same(fast, fitted)
    assert {p.dtype for p in fast.network_.parameters()} == {torch.float32}


def test_progress_counts_epochs(rolled):
    seen = []
    corrector = Corrector.small(epochs=3, hidden=8)
    corrector.fit_records([rolled(50)], progress=lambda *done: seen.append(done))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_keeps_scikit_learns_promises(rolled):
    corrector = Corrector.small(seed=5, p=0.25)
    assert clone(corrector).get_params() == corrector.get_params()
    assert corrector.set_params(hidden=9).hidden == 9
    assert "hidden=9" in repr(corrector)
    with pytest.raises(NotFittedError):
        corrector.predict(rolled().clean_logits)
    assert corrector.set_params(epochs=1).fit_records([rolled(50)]) is corrector
    assert not hasattr(clone(corrector), "network_")


def test_the_network_is_frozen_but_lets_gradients_through(rolled, fitted):
    logits = rolled().clean_logits.clone().requires_grad_()
    fitted.network_(logits).sum().backward()
    assert logits.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in fitted.network_.parameters())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hidden": 0}, "Corrector: option 'hidden': .*greater than or equal to 1, got 0"),
        ({"layers": 4}, "option 'layers': .*1, 2 or 3, got 4"),
        ({"keep": 0.0}, "option 'keep': .*greater than 0"),
        ({"p": 1.5}, "option 'p': .*less than or equal to 1, got 1.5"),
        ({"target": "class"}, "option 'target': .*'label' or 'prediction'"),
        ({"learning_rate": float("nan")}, "option 'learning_rate': .*finite"),
        ({"epochs": 2.5}, "option 'epochs': .*integer"),
    ],
)
def test_unfit_options_are_refused_at_once_and_by_the_fit(rolled, options, said):
    changed = Corrector().set_params(**options)
    for attempt in (lambda: Corrector(**options), lambda: changed.fit_records([rolled(50)])):
        with pytest.raises(ValueError, match=said) as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_an_unknown_option_is_told_its_nearest():
    for make in (Corrector, Corrector.small):
        with pytest.raises(ValueError, match="unknown option 'hiden', the nearest is 'hidden'"):
            make(hiden=5)


def test_options_are_read_as_everywhere():
    corrector = Corrector(p="1/4", scale=3)
    assert (corrector.p, corrector.scale) == (0.25, 3.0)
    assert clone(corrector).get_params() == corrector.get_params()


def test_unfit_records_are_named(rolled):
    with pytest.raises(InputError, match="expected at least one record, got none"):
        Corrector().fit_records([])
    with pytest.raises(InputError, match="record 1, clean_logits: 3 logits .* not 4"):
        Corrector().fit_records([rolled(), rolled(classes=3)])
    record = rolled()
    record.adversarial_logits[7, 1] = float("nan")
    with pytest.raises(InputError, match="record 0, adversarial_logits: .* row 7"):
        Corrector().fit_records([record])


def test_unfit_logits_are_refused(rolled, fitted):
    shares = rolled().clean_logits.softmax(dim=1)
    with pytest.raises(InputError, match="rows sum to 1"):
        Corrector().fit(shares, rolled().labels)
    with pytest.raises(InputError, match="rows sum to 1"):
        fitted.predict(shares)
    with pytest.raises(InputError, match="X has 5 features, but Corrector is expecting 4"):
        fitted.transform(np.zeros((2, 5)))
    with pytest.raises(InputError, match=r"Found array with 0 sample\(s\)"):
        Corrector().fit(np.zeros((0, 4)), np.zeros(0, int))


def test_a_fit_that_diverges_is_said(rolled):
    with pytest.raises(InputError, match=r"diverged in epoch \d: lower learning_rate"):
        Corrector(learning_rate=1e30).fit_records([rolled(50)])


def test_save_and_load_are_bit_identical(tmp_path, rolled, fitted):
    path = tmp_path / "c.safetensors"
    fitted.save(path)
    again = Corrector.load(path)
    assert again.get_params() == fitted.get_params()
    logits = rolled(seed=3).adversarial_logits
    assert np.array_equal(again.transform(logits), fitted.transform(logits))
    facts = ("loss_curve_", "fitted_on_", "training_samples_", "n_features_in_")
    assert [getattr(again, f) for f in facts] == [getattr(fitted, f) for f in facts]
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "options", [{"layers": 1}, {"hidden": 5}, {"hidden": 5, "layers": 3}, {"ranks": 7}]
)
def test_every_shape_of_network_is_saved(tmp_path, rolled, options):
    fitted = Corrector(epochs=1, **options).fit_records([rolled(50)])
    fitted.save(tmp_path / "c")
    assert same(Corrector.load(tmp_path / "c"), fitted)


def test_a_file_of_unknown_options_is_refused(tmp_path, fitted, monkeypatch):
    monkeypatch.setattr(fitted, "get_params", lambda deep=True: {"hiden": 5})
    fitted.save(tmp_path / "c")
    monkeypatch.undo()
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'c'}: a corrector that")):
        Corrector.load(tmp_path / "c")


def test_what_is_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        Corrector().save(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []

import copy

import pytest
import torch
from torch import nn

from classward.attacks.deepfool import DeepFool
from classward.attacks.pgd import PGD
from classward.core.balls import Linf
from classward.core.errors import InputError, SystemFaultError
from classward.data.split import Split
from classward.defenses.adversarial_training import AdversarialTraining
from classward.defenses.standard import Standard
from classward.defenses.symmetry_aware import SymmetryAware
from classward.models.heads import LinearHead, UnitWeightHead
from classward.models.load import load_model
from classward.models.network import Network
from classward.training.schedule import Recipe
from classward.training.train import train

ATTACK = PGD(ball=Linf(0.1), step_size=0.05, steps=2)
RECIPE = Recipe(epochs=2, batch_size=8, validation=4)


def network(classes=3):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.ReLU()]
        return Network(nn.Sequential(*layers), LinearHead(12, classes)).eval()


def data(count=40):
    images = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return Split(images, images.flatten(1)[:, :3].argmax(1), ["a", "b", "c"])


def same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize(
    "defense", [Standard(), AdversarialTraining(), SymmetryAware(pairs=[(0, 1)])], ids=repr
)
@pytest.mark.parametrize("model", ["small_cnn", network()], ids=["name", "network"])
def test_trains_with_a_head_that_fits_the_defense(defense, model):
    run = train(defense, model, data(), attack=ATTACK, recipe=RECIPE)
    wanted = UnitWeightHead if isinstance(defense, SymmetryAware) else LinearHead
    for trained in (run.best, run.last):
        assert type(trained.head) is wanted
        assert not any(layer.training for layer in trained.modules())
        assert trained(data().batch(torch.arange(5))).shape == (5, 3)
    assert len(run.history) == 2 and run.path is None


def test_changes_neither_model_nor_defense_nor_global_generators():
    model, defense = network(), SymmetryAware(pairs=[(0, 1)])
    before, options, numbers = copy.deepcopy(model), repr(defense), torch.get_rng_state()
    train(defense, model, data(), attack=ATTACK, recipe=RECIPE)
    assert same(model, before) and type(model.head) is LinearHead
    assert repr(defense) == options and not hasattr(defense, "target")
    assert torch.equal(torch.get_rng_state(), numbers)


def test_goes_on_from_the_weights_of_a_network():
    model = network()
    run = train(Standard(), model, data(), recipe=Recipe(epochs=1, learning_rate=1e-12))
    for name, weight in run.last.named_parameters():
        torch.testing.assert_close(weight, dict(model.named_parameters())[name])


def test_result_is_fixed_by_the_seed():
    runs = [
        train(AdversarialTraining(), "small_cnn", data(), attack=ATTACK, recipe=RECIPE, seed=s)
        for s in (0, 0, 1)
    ]
    assert same(runs[0].last, runs[1].last) and runs[0].history == runs[1].history
    assert not same(runs[0].last, runs[2].last)


def test_learns_and_keeps_the_best_epoch():
    split = data(100)
    recipe = Recipe(epochs=20, batch_size=16, learning_rate=0.05, validation=10)
    run = train(Standard(), "small_cnn", split, recipe=recipe)
    accuracies = [row["clean_accuracy"] for row in run.history]
    right = run.best(split.batch(torch.arange(100))).argmax(1) == split.labels
    assert right.float().mean() > 0.8
    assert "robust_accuracy" not in run.history[0]
    assert max(accuracies) > accuracies[0]


def test_attack_of_the_call_wins_over_that_of_the_defense():
    strong = PGD(ball=Linf(0.9), step_size=0.45, steps=2)
    recipe = Recipe(epochs=1, batch_size=8, warm_up=0.0)
    losses = [
        train(defense, network(), data(), attack=attack, recipe=recipe).history[0]["loss"]
        for defense, attack in [
            (AdversarialTraining(attack=strong), None),
            (AdversarialTraining(attack=ATTACK), strong),
            (AdversarialTraining(attack=ATTACK), None),
        ]
    ]
    assert losses[0] == losses[1] and losses[0] != losses[2]


def test_attack_only_measures_a_defense_that_needs_none():
    plain = train(Standard(), network(), data(), recipe=RECIPE)
    measured = train(Standard(), network(), data(), attack=ATTACK, recipe=RECIPE)
    assert same(plain.best, measured.best)
    assert "robust_accuracy" in measured.history[0]


def test_averaged_weights_are_what_is_returned():
    runs = [
        train(Standard(), network(), data(), recipe=Recipe(epochs=3, batch_size=8, ema=ema))
        for ema in (0.0, 0.5)
    ]
    assert not same(runs[0].last, runs[1].last)
    assert runs[0].history[0]["loss"] == runs[1].history[0]["loss"]


def test_run_folder_holds_weights_that_load_model_reads(tmp_path):
    for defense, head in ((Standard(), LinearHead), (SymmetryAware(pairs=[]), UnitWeightHead)):
        out = tmp_path / head.__name__
        run = train(defense, "small_cnn", data(), attack=ATTACK, recipe=RECIPE, out=out)
        loaded = load_model("small_cnn", weights=out)
        assert run.path == out
        assert type(loaded.head) is head and same(loaded, run.best)


def test_finished_run_is_taken_up_as_it_is(tmp_path):
    def again(**arguments):
        return train(
            AdversarialTraining(), network(), data(), attack=ATTACK, out=tmp_path, **arguments
        )

    first = again(recipe=RECIPE)
    with pytest.raises(InputError, match="holds a run"):
        again(recipe=RECIPE)
    resumed = again(recipe=RECIPE, resume=True)
    assert same(first.best, resumed.best) and same(first.last, resumed.last)
    assert first.history == resumed.history
    with pytest.raises(InputError, match="cannot go on, its learning_rate is 0.1, now 0.2"):
        again(
            recipe=Recipe(epochs=2, batch_size=8, validation=4, learning_rate=0.2), resume=True
        )
    assert again(recipe=RECIPE, overwrite=True).history == first.history


def test_another_number_of_threads_is_refused_on_resume(tmp_path):
    arguments = {"recipe": RECIPE, "out": tmp_path}
    train(Standard(), network(), data(), **arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.raises(InputError, match=f"its threads is {threads}, now {threads + 1}"):
            train(Standard(), network(), data(), resume=True, **arguments)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resume": True}, "resume needs the folder of the run"),
        ({"model": "small_cn"}, "unknown model 'small_cn'"),
        ({"model": network(4)}, "model has 4 classes, data has 3"),
        ({"device": "gpu"}, "device 'gpu': expected cpu, cuda"),
        ({"device": "cuda:x"}, "device 'cuda:x': expected cpu, cuda"),
        ({"attack": DeepFool()}, "DeepFool has no ball to warm up: set warm_up=0"),
        ({"data": data(1)}, "data has 1 image, training needs at least 2"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    given = {"defense": AdversarialTraining(), "model": network(), "data": data()} | arguments
    with pytest.raises(InputError, match=message) as raised:
        train(recipe=RECIPE, **given)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 200


def test_absent_device_is_a_fault_of_the_system():
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(SystemFaultError, match="device 'cuda' is not there"):
        train(Standard(), network(), data(), device="cuda")


def test_attack_that_needs_more_than_a_gradient_is_refused():
    class Asking:
        access, needs = "scores", frozenset()

        def __call__(self, model, images, labels, *, rng, targets=None, loss=None, until=None):
            return images

    with pytest.raises(InputError, match="Asking cannot train"):
        train(AdversarialTraining(), network(), data(), attack=Asking(), recipe=RECIPE)


def test_head_of_the_same_class_keeps_its_weights():
    model = network()
    model.head = UnitWeightHead(12, 3)
    recipe = Recipe(epochs=1, learning_rate=1e-12)
    run = train(SymmetryAware(pairs=[(0, 1)]), model, data(), attack=ATTACK, recipe=recipe)
    torch.testing.assert_close(run.last.head.weight.data, model.head.weight.data)


def best_and_last(out):
    return [load_model("small_cnn", weights=out / name) for name in ("", "last.safetensors")]


def test_best_and_last_are_kept_and_told_apart(tmp_path):
    recipe = Recipe(epochs=6, batch_size=8, validation=4, learning_rate=0.3)
    run = train(
        AdversarialTraining(), "small_cnn", data(), attack=ATTACK, recipe=recipe, out=tmp_path
    )
    best, last = best_and_last(tmp_path)
    assert same(best, run.best) and same(last, run.last)
    robust = [row["robust_accuracy"] for row in run.history]
    assert (
        robust[run.best_epoch - 1] == max(robust)
        and max(robust) not in robust[run.best_epoch :]
    )
    told = run.accuracies()
    assert told["best"]["robust_accuracy"] == max(robust)
    assert told["last"] == {
        name: run.history[-1][name] for name in ("clean_accuracy", "robust_accuracy")
    }


def test_without_images_held_out_the_last_is_the_best():
    run = train(Standard(), network(), data(), recipe=Recipe(epochs=2, validation=0))
    assert run.best_epoch == 2 and same(run.best, run.last)
    assert run.accuracies() == {"best": {}, "last": {}}


def test_a_stopped_training_of_convolutions_goes_on_bit_for_bit(tmp_path):
    def trained(out, **arguments):
        recipe = Recipe(epochs=2, batch_size=8, validation=4, ema=0.5, checkpoint_every=2)
        given = {"attack": ATTACK, "recipe": recipe, "out": tmp_path / out}
        return train(AdversarialTraining(), "small_cnn", data(), **given, **arguments)

    def stop(done, _total):
        if done == 7:
            raise KeyboardInterrupt

    whole = trained("whole")
    with pytest.raises(KeyboardInterrupt):
        trained("stopped", progress=stop)
    resumed = trained("stopped", resume=True)
    assert same(whole.best, resumed.best) and same(whole.last, resumed.last)
    assert whole.history == resumed.history
    assert all(rows.is_contiguous() for rows in whole.last.state_dict().values())

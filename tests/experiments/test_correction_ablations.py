import pytest
import torch

from classward.correction.corrector import Corrector
from classward.experiments.correction_ablations import ablations, part_of, variants

BASE = Corrector.small(hidden=12, epochs=3, batch_size=32)


@pytest.fixture(scope="module")
def found(tmp_path_factory, sunk):
    folder = tmp_path_factory.mktemp("ablations")
    epochs = []

    def tell(what, done, total):
        epochs.append((what, done, total))

    made = ablations(folder, "sink", BASE, sunk(), sunk(100, seed=1), tell)
    return made, folder, epochs


def test_varies_one_thing_at_a_time():
    base = BASE.get_params()
    for variant in variants(BASE, 4):
        changed = {key for key, value in variant.options.items() if base[key] != value}
        assert len(changed) + (variant.part > 1) <= 1


def test_the_default_width_is_among_the_widths():
    named = [variant.name for variant in variants(Corrector(), 7)]
    assert [name for name in named if name.startswith("2 layers")] == [
        f"2 layers, {width} neurons" for width in (16, 64, 70, 256)
    ]


def test_every_variant_has_its_row(found):
    made, _, _ = found
    assert len(made.variants) == len(variants(BASE, 4)) == 15
    sizes = [row.training_samples for row in made.variants if row.group == "training samples"]
    assert sizes == [25, 50, 100, 200]
    assert {row.attacked.total for row in made.variants} == {made.second_layer.total}


def test_rows_that_change_nothing_are_the_same_fit(found):
    made, folder, epochs = found
    names = ("2 layers, 12 neurons", "p = 0.3", "all")
    same = [(row.clean, row.attacked) for row in made.variants if row.name in names]
    assert same == [same[0]] * 3
    assert (folder / "sink.safetensors").exists()
    assert len(list(folder.iterdir())) == 13 == len({what for what, _, _ in epochs})


def test_the_second_layer_is_the_difference_of_its_rows(found):
    rows = {row.name: row.attacked for row in found[0].variants}
    one, two, change = rows["1 layer"], rows["2 layers, 12 neurons"], found[0].second_layer
    assert (change.reference, change.other) == (one.value, two.value)
    assert change.gained - change.lost == two.count - one.count


def test_a_part_keeps_ids_and_rows(sunk):
    whole, rows = sunk(), torch.tensor([3, 50, 51])
    part = part_of(whole, rows)
    assert part.ids.tolist() == [3, 50, 51] and part.settings == whole.settings
    assert torch.equal(part.adversarial_logits, whole.adversarial_logits[rows])
    assert torch.equal(part.clean_predictions, whole.clean_predictions[rows])

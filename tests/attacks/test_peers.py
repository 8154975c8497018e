"""Our attacks beside those of torchattacks, Foolbox and ART, on the same network and images.

Each must succeed as often, within one point, at the same mean distance, within one percent.
Where a peer has a known fault, it is not ours to copy: a test names it and shows it.
Needs the extra `peers`, and torchattacks installed with --no-deps.
"""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

from classward.attacks.bim import BIM
from classward.attacks.carlini_wagner import CarliniWagner
from classward.attacks.deepfool import DeepFool
from classward.attacks.fgsm import FGSM
from classward.attacks.mim import MIM
from classward.attacks.pgd import PGD
from classward.attacks.rfgsm import RFGSM
from classward.core.balls import L2, Linf
from classward.core.randomness import SampleRandom
from classward.data.load import load_data
from classward.models.load import load_model
from classward.models.small_cnn import small_cnn


def gray_digits(split):
    """Digits of half the contrast: with no pixel near 0 or 1 the box plays no part."""
    data = load_data("digits", split=split)
    return 0.25 + 0.5 * data.batch(torch.arange(len(data))), data.labels


def right(model, images, labels, most, eps):
    kept = (model(images).argmax(1) == labels).nonzero().flatten()[:most]
    return SimpleNamespace(model=model, images=images[kept], labels=labels[kept], eps=eps)


@pytest.fixture(scope="module")
def digits():
    images, labels = gray_digits("train")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = small_cnn()
    adam = torch.optim.Adam(model.parameters(), lr=5e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(8):
        for rows in torch.randperm(len(labels), generator=order).split(100):
            adam.zero_grad()
            cross_entropy(model(images[rows]), labels[rows]).backward()
            adam.step()
    return right(model.eval(), *gray_digits("test"), most=200, eps=0.05)


@pytest.fixture
def cifar(real):
    root = real("models/cifar10_resnet20_std.safetensors")
    real("cifar10.webp.zip")
    model = load_model("resnet20", weights=root / "models/cifar10_resnet20_std.safetensors")
    data = load_data("cifar10", split="test", samples="first:40", root=root)
    return right(model, data.batch(torch.arange(40)), data.labels, most=32, eps=1 / 255)


def ours(attack, task, seed=0, **given):
    rng = SampleRandom(seed, "peers", torch.arange(len(task.images)))
    return attack(task.model, task.images, task.labels, rng=rng, **given)


def torchattacks(name, task, **options):
    peer = pytest.importorskip("torchattacks")
    return getattr(peer, name)(task.model, **options)(task.images, task.labels)


def foolbox(name, task, eps=None, **options):
    peer = pytest.importorskip("foolbox")
    attack = getattr(peer.attacks, name)(**options)
    model = peer.PyTorchModel(task.model, bounds=(0, 1), device="cpu")
    return attack(model, task.images, task.labels, epsilons=eps)[1]


def art(name, task, **options):
    evasion = pytest.importorskip("art.attacks.evasion")
    estimators = pytest.importorskip("art.estimators.classification")
    classifier = estimators.PyTorchClassifier(
        model=task.model,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=tuple(task.images.shape[1:]),
        nb_classes=10,
        clip_values=(0, 1),
        device_type="cpu",
    )
    attack = getattr(evasion, name)(classifier, **options)
    made = attack.generate(task.images.numpy().copy(), y=task.labels.numpy())
    return torch.from_numpy(made)


def measured(made, task):
    with torch.no_grad():
        fell = task.model(made).argmax(1) != task.labels
    change = (made.detach() - task.images).flatten(1)
    return torch.stack([fell.float(), change.norm(dim=1), change.abs().amax(1)], dim=1).mean(0)


def check_agree(own, peer):
    assert own[0].item() == pytest.approx(peer[0].item(), abs=0.01), "share of successes"
    assert own[1:].tolist() == pytest.approx(peer[1:].tolist(), rel=0.01), "l2, l-inf"


# Ours, and the same attack of each peer. Without a random start nothing is left to chance.
SAME = {
    "fgsm": (
        lambda eps: FGSM(ball=Linf(eps)),
        lambda task, eps: torchattacks("FGSM", task, eps=eps),
        lambda task, eps: foolbox("LinfFastGradientAttack", task, eps),
        lambda task, eps: art("FastGradientMethod", task, eps=eps),
    ),
    "fgsm l2": (
        lambda eps: FGSM(ball=L2(10 * eps)),
        lambda task, eps: foolbox("L2FastGradientAttack", task, 10 * eps),
        lambda task, eps: art("FastGradientMethod", task, norm=2, eps=10 * eps),
    ),
    "bim": (
        lambda eps: BIM(ball=Linf(eps), step_size=eps / 4, steps=10),
        lambda task, eps: torchattacks("BIM", task, eps=eps, alpha=eps / 4, steps=10),
        lambda task, eps: foolbox(
            "LinfBasicIterativeAttack", task, eps, abs_stepsize=eps / 4, random_start=False
        ),
        lambda task, eps: art(
            "BasicIterativeMethod", task, eps=eps, eps_step=eps / 4, max_iter=10, verbose=False
        ),
    ),
    "pgd": (
        lambda eps: PGD(ball=Linf(eps), step_size=eps / 4, steps=20, random_start=False),
        lambda task, eps: torchattacks(
            "PGD", task, eps=eps, alpha=eps / 4, steps=20, random_start=False
        ),
        lambda task, eps: foolbox(
            "LinfPGD", task, eps, abs_stepsize=eps / 4, steps=20, random_start=False
        ),
        lambda task, eps: art(
            "ProjectedGradientDescent",
            task,
            eps=eps,
            eps_step=eps / 4,
            max_iter=20,
            verbose=False,
        ),
    ),
    "pgd l2": (
        lambda eps: PGD(ball=L2(6 * eps), step_size=eps, steps=20, random_start=False),
        lambda task, eps: torchattacks(
            "PGDL2", task, eps=6 * eps, alpha=eps, steps=20, random_start=False
        ),
        lambda task, eps: foolbox(
            "L2PGD", task, 6 * eps, abs_stepsize=eps, steps=20, random_start=False
        ),
        lambda task, eps: art(
            "ProjectedGradientDescent",
            task,
            norm=2,
            eps=6 * eps,
            eps_step=eps,
            max_iter=20,
            verbose=False,
        ),
    ),
    "mim": (
        lambda eps: MIM(ball=Linf(eps)),
        lambda task, eps: torchattacks("MIFGSM", task, eps=eps, alpha=eps / 10),
        lambda task, eps: foolbox(
            "LinfMomentumIterativeFastGradientMethod", task, eps, abs_stepsize=eps / 10
        ),
        lambda task, eps: art(
            "MomentumIterativeMethod",
            task,
            eps=eps,
            eps_step=eps / 10,
            max_iter=10,
            verbose=False,
        ),
    ),
    "mim l2": (
        lambda eps: MIM(ball=L2(10 * eps)),
        lambda task, eps: foolbox(
            "L2MomentumIterativeFastGradientMethod", task, 10 * eps, abs_stepsize=eps
        ),
        lambda task, eps: art(
            "MomentumIterativeMethod",
            task,
            norm=2,
            eps=10 * eps,
            eps_step=eps,
            max_iter=10,
            verbose=False,
        ),
    ),
    "deepfool": (
        lambda _: DeepFool(steps=50),
        lambda task, _: torchattacks("DeepFool", task, steps=50),
        lambda task, _: foolbox("L2DeepFoolAttack", task),
        lambda task, _: art("DeepFool", task, epsilon=0.02, batch_size=200, verbose=False),
    ),
    "deepfool linf": (
        lambda _: DeepFool(norm="linf", steps=50),
        lambda task, _: foolbox("LinfDeepFoolAttack", task),
    ),
    "carlini_wagner": (
        lambda _: CarliniWagner(steps=30, binary_steps=4, initial_const=1.0),
        lambda task, _: foolbox(
            "L2CarliniWagnerAttack",
            task,
            steps=30,
            binary_search_steps=4,
            initial_const=1.0,
            abort_early=False,  # it would decide for the whole batch
        ),
    ),
}
LIBRARIES = {2: ["foolbox"], 3: ["foolbox", "art"], 4: ["torchattacks", "foolbox", "art"]}
CASES = [
    pytest.param(row[0], peer, id=f"{name}-{library}")
    for name, row in SAME.items()
    for library, peer in zip(LIBRARIES[len(row)], row[1:], strict=True)
]


@pytest.mark.parametrize(("method", "peer"), CASES)
def test_agrees_on_digits(method, peer, digits):
    theirs = measured(peer(digits, digits.eps), digits)
    check_agree(measured(ours(method(digits.eps), digits), digits), theirs)


# What differs on a real network, each by a fault shown below.
DIFFER = {
    "deepfool-torchattacks",
    "deepfool-art",
    "deepfool linf-foolbox",
    "pgd l2-torchattacks",
}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "peer"), [case for case in CASES if case.id not in DIFFER])
def test_agrees_on_cifar(method, peer, cifar):
    theirs = measured(peer(cifar, cifar.eps), cifar)
    check_agree(measured(ours(method(cifar.eps), cifar), cifar), theirs)


def mean_of(runs):
    return torch.stack(list(runs)).mean(0)


@pytest.mark.parametrize(
    ("method", "peer"),
    [
        (
            RFGSM(ball=Linf(0.05)),
            lambda task: torchattacks("RFGSM", task, eps=0.05, alpha=0.025, steps=1),
        ),
        (
            PGD(ball=Linf(0.05), step_size=0.0125, steps=20),
            lambda task: torchattacks("PGD", task, eps=0.05, alpha=0.0125, steps=20),
        ),
        (
            PGD(ball=Linf(0.05), step_size=0.0125, steps=20),
            lambda task: foolbox("LinfPGD", task, 0.05, abs_stepsize=0.0125, steps=20),
        ),
    ],
    ids=["rfgsm-torchattacks", "pgd-torchattacks", "pgd-foolbox"],
)
def test_random_ones_agree_on_average(method, peer, digits):
    with torch.random.fork_rng():
        torch.manual_seed(0)  # theirs is the global generator
        theirs = mean_of(measured(peer(digits), digits) for _ in range(10))
    own = (measured(ours(method, digits, seed), digits) for seed in range(10))
    check_agree(mean_of(own), theirs)


def changed(task, model=None, first=None):
    """The same task on another model, or on the first few images."""
    model, rows = model or task.model, slice(first)
    return SimpleNamespace(model=model, images=task.images[rows], labels=task.labels[rows])


def test_fault_torchattacks_rfgsm_is_pgd_from_a_corner(digits):
    ten_steps = measured(torchattacks("RFGSM", digits, eps=0.05), digits)
    bim = ours(BIM(ball=Linf(0.05), step_size=2 / 255, steps=10), digits)
    one_step = ours(RFGSM(ball=Linf(0.05)), digits)
    assert ten_steps[0] == pytest.approx(measured(bim, digits)[0].item(), abs=0.05)
    assert ten_steps[0] > measured(one_step, digits)[0] + 0.3


def test_fault_foolbox_momentum_adds_gradients_of_any_length():
    peer = pytest.importorskip("foolbox.attacks.mi_fgsm")
    ep = pytest.importorskip("eagerpy")
    first, second = (ep.astensor(torch.tensor([row])) for row in ([1.0, -3.0], [-0.2, 0.1]))
    theirs = peer.GDMOptimizer(first, stepsize=1.0)
    theirs(first)
    assert theirs(second).raw.tolist() == [[1, -1]]
    scaled = [1 / 4 - 2 / 3, -3 / 4 + 1 / 3]
    assert scaled[0] < 0 and scaled[1] < 0, "by the paper both pixels go down"


class Plateau(torch.nn.Module):
    """Two classes; the gradient ends where the pixels of the first row have risen by 0.02."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([[0.0], [1.0]]))

    def forward(self, images):
        return images[:, :, 0].flatten(1).clamp(max=0.52).sum(1, keepdim=True) @ self.weight.T


def test_fault_torchattacks_momentum_ends_at_the_first_gradient_of_zero():
    gray = torch.full((1, 1, 2, 2), 0.5)
    task = SimpleNamespace(model=Plateau().eval(), images=gray, labels=torch.tensor([0]))
    stopped = torchattacks("MIFGSM", task, eps=0.2, alpha=0.05, steps=4)[0, 0, 0, 0]
    went_on = ours(MIM(ball=Linf(0.2), steps=4), task)[0, 0, 0, 0]
    assert stopped.item() == pytest.approx(0.55) and went_on.item() == pytest.approx(0.7)


class Faint(torch.nn.Module):
    """Two classes that differ by hardly anything: gradients as of a very confident network."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([[0.0], [1e-12]]))

    def forward(self, images):
        return images.flatten(1).sum(1, keepdim=True) @ self.weight.T


def test_fault_torchattacks_l2_steps_shrink_with_a_small_gradient():
    gray = torch.full((1, 1, 2, 2), 0.5)
    task = SimpleNamespace(model=Faint().eval(), images=gray, labels=torch.tensor([0]))
    options = {"eps": 0.2, "alpha": 0.05, "steps": 10, "random_start": False}
    assert (torchattacks("PGDL2", task, **options) - gray).norm() < 0.02
    attack = PGD(ball=L2(0.2), step_size=0.05, steps=10, random_start=False)
    assert (ours(attack, task) - gray).norm().item() == pytest.approx(0.2)


def test_fault_torchattacks_deepfool_stalls_on_the_boundary(digits):
    few = changed(digits, first=60)
    stalled = measured(torchattacks("DeepFool", few, steps=50, overshoot=0.0), few)
    assert stalled[0] < 0.99
    assert measured(ours(DeepFool(steps=50, overshoot=0.0), few), few)[0] == 1


def test_fault_torchattacks_cw_is_blind_to_negative_logits(digits):
    class Lowered(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, images):
            return self.model(images) - 1000

    low = changed(digits, model=Lowered(digits.model).eval())
    assert measured(torchattacks("CW", low), low)[0] == 0
    assert measured(ours(CarliniWagner(), low), low)[0] > 0.9


def test_fault_torchattacks_cw_searches_no_constant(digits):
    theirs = measured(torchattacks("CW", digits, c=1, steps=120), digits)
    own = measured(
        ours(CarliniWagner(steps=30, binary_steps=4, initial_const=1.0), digits), digits
    )
    assert own[0] == 1 and own[1] < 0.95 * theirs[1], "the same cost, and farther"


def test_fault_foolbox_cw_returns_black_images_for_failures(digits):
    made = foolbox("L2CarliniWagnerAttack", digits, steps=2, binary_search_steps=1)
    assert (made == 0).flatten(1).all(1).float().mean() > 0.9
    own = ours(CarliniWagner(steps=2, binary_steps=1, initial_const=1e-3), digits)
    assert (own == digits.images).flatten(1).all(1).float().mean() > 0.9


@pytest.mark.slow
def test_fault_art_cw_goes_farther_by_its_line_search(digits):
    few = changed(digits, first=20)
    options = {"binary_search_steps": 5, "max_iter": 100, "initial_const": 1.0}
    theirs = measured(art("CarliniL2Method", few, **options, batch_size=20, verbose=False), few)
    attack = CarliniWagner(steps=100, binary_steps=5, initial_const=1.0)
    own = measured(ours(attack, few), few)
    assert own[0] == theirs[0] == 1 and own[1] < 0.95 * theirs[1]


@pytest.mark.slow
def test_faults_of_deepfool_on_cifar(cifar):
    few = changed(cifar, first=16)
    own = measured(ours(DeepFool(steps=50), few), few)
    stalled = measured(torchattacks("DeepFool", few, steps=50), few)
    assert own[0] == 1 and stalled[0] < 0.99, "torchattacks stays on the boundary"
    own = measured(ours(DeepFool(norm="linf", steps=50), few), few)
    farther = measured(foolbox("LinfDeepFoolAttack", few), few)
    assert own[0] == farther[0] == 1 and own[2] < 0.99 * farther[2], "Foolbox adds 1e-4 a step"
    few = changed(cifar, first=8)
    own = measured(ours(DeepFool(steps=50), few), few)
    farther = measured(art("DeepFool", few, epsilon=0.02, batch_size=8, verbose=False), few)
    assert own[0] == farther[0] == 1 and own[1] < farther[1], "ART overshoots only at the end"

import pytest
from torch import nn

from classward.core.errors import InputError
from classward.evaluation.assert_robust import assert_robust
from classward.records.audit_result import Audit
from classward.records.run_folder import RunFolder


class Blind(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model((images * 8).round() / 8)


def test_a_robust_model_gives_its_audit(audits):
    found = assert_robust(
        audits.models.good,
        audits.data,
        eps=audits.eps,
        min_robust_accuracy=0.5,
        max_class_gap=1.0,
        max_pair_flow=1.0,
    )
    assert isinstance(found, Audit)
    assert found.robust_accuracy == audits.results.good.robust_accuracy


def test_every_failed_gate_has_its_line(audits):
    limits = {"min_robust_accuracy": 0.99, "max_class_gap": 0.0, "max_pair_flow": 0.0}
    with pytest.raises(AssertionError) as caught:
        assert_robust(audits.models.good, audits.data, eps=audits.eps, **limits)
    lines = str(caught.value).splitlines()
    starts = ("robust accuracy 0.", "class gap 0.", "largest flow 0.")
    assert len(lines) == 3
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


def test_an_unsound_number_passes_no_gate(audits):
    with pytest.raises(AssertionError, match="^unsound, nonzero_gradients_pgd_margin: "):
        assert_robust(
            Blind(audits.models.good), audits.data, eps=audits.eps, min_robust_accuracy=0.0
        )


def test_a_baseline_and_a_folder_to_keep(audits, tmp_path):
    asked = {"eps": audits.eps, "baseline": audits.good}
    assert assert_robust(audits.models.good, audits.data, **asked).verdict == "sound"
    with pytest.raises(AssertionError, match="is worse than 0.*; classes worse"):
        assert_robust(audits.models.bad, audits.data, **asked, out=tmp_path / "kept")
    assert RunFolder.open(tmp_path / "kept").kind == "audit"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "nothing to assert: give min_robust_accuracy"),
        ({"max_class_gap": 30.0}, "max_class_gap 30.0 is no share"),
        ({"baseline": "nowhere"}, "not a run folder"),
    ],
)
def test_wrong_calls_are_no_failed_assertion(audits, limits, said):
    with pytest.raises(InputError, match=said):
        assert_robust(audits.models.good, audits.data, eps=audits.eps, **limits)

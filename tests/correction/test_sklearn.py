"""The corrector among scikit-learn's estimators: what it keeps of their contract."""

import pytest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from classward.correction.corrector import Corrector

COLUMNS = "its classes are the columns of X, and the check has more classes than columns"
EXPECTED = {
    "check_estimators_overwrite_params": COLUMNS,
    "check_estimators_fit_returns_self": COLUMNS,
    "check_readonly_memmap_input": COLUMNS,
    "check_classifier_data_not_an_array": COLUMNS,
    "check_classifiers_train": COLUMNS,
    "check_classifiers_classes": "a class is the number of a column, not a word",
    "check_do_not_raise_errors_in_init_or_set_params": "unfit options are refused at once",
}


def expected(estimator):
    return EXPECTED


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [Corrector(hidden=16, epochs=30, learning_rate=1e-2)], expected_failed_checks=expected
)
def test_keeps_the_contract(estimator, check):
    check(estimator)


def test_no_more_than_eight_checks_are_expected_to_fail():
    assert len(EXPECTED) <= 8


def test_takes_its_place_in_a_pipeline(rolled):
    record = rolled()
    made = make_pipeline(StandardScaler(), Corrector(hidden=64, epochs=20, learning_rate=1e-2))
    scores = cross_val_score(made, record.adversarial_logits, record.labels, cv=3)
    assert scores.min() > 0.8


def test_many_classes_are_not_taken_for_a_regression(recwarn, rolled):
    record = rolled(samples=12, classes=10)
    Corrector(hidden=8, epochs=1).fit(record.clean_logits, record.labels)
    assert not [entry for entry in recwarn if "regression" in str(entry.message)]

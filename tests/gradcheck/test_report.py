"""The table of a check names the worst entry, the norms and the mistake."""

import numpy as np
import pytest
from tests.gradcheck.helpers import TARGETS, OneEntry, WrongSign, X

from handloom import Dense, ReLU, Sequential, SoftmaxCrossEntropy, check_gradients


def test_the_worst_entry_is_named() -> None:
    row = check_gradients(OneEntry(), X, thorough=True).rows[1]
    assert row.worst is not None
    assert row.worst.index == (3, 1)
    assert row.worst.analytic - row.worst.numeric == pytest.approx(0.01, rel=1e-6)
    assert row.compared == 25


def test_norms_are_those_of_the_gradients() -> None:
    loss, p = SoftmaxCrossEntropy(), 3.0 * X
    row = check_gradients(loss, p, TARGETS, thorough=True).rows[0]
    expected = np.linalg.norm(loss(p, TARGETS)[1])
    assert row.analytic == pytest.approx(expected, rel=0.1)  # at perturbed values
    assert row.numeric == pytest.approx(row.analytic, rel=1e-8)


def test_the_table_says_it_all() -> None:
    made = Sequential([Dense(5), WrongSign(), Dense(5)])
    text = str(check_gradients(made, X, TARGETS))
    assert "0.dense.weights" in text
    assert "WRONG: -1 x numeric" in text
    assert "not ok: 1 of 6 arrays" in text
    assert repr(check_gradients(made, X, TARGETS)).endswith(
        "1 of 6 arrays: 1.wrongsign.gain WRONG)"
    )
    assert "ok: each array agrees within 1e-06" in str(check_gradients(ReLU(), X))


def test_a_notebook_shows_the_table_and_the_conclusion() -> None:
    report = check_gradients(WrongSign(), X)
    shown = report._repr_html_()
    assert report.title in shown
    assert "WRONG" in shown
    assert shown.count("<tr>") == 1 + len(report.rows)
    assert "not ok" in shown

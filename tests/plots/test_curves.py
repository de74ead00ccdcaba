"""Curves of a training, and of several models, stay readable whatever the values."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.plots.helpers import (
    WHERE,
    assert_shows,
    curves,
    falling,
    history,
    recording,
    render,
    texts,
)

from handloom import plots
from handloom.errors import ConfigurationError
from handloom.plots.columns import COLUMNS
from handloom.training.divergence import Divergence
from handloom.training.history import History, StopReason


class TestTrainingCurves:
    def test_labels_its_axes_and_names_the_dataset(self) -> None:
        figure = curves(history(falling(20)))
        assert [axes.get_ylabel() for axes in figure.axes] == [
            "accuracy (%)",
            "loss",
            "learning rate",
        ]
        assert figure.axes[-1].get_xlabel() == "epoch"
        assert figure.get_suptitle() == "pets-3: small"

    def test_a_learning_rate_that_never_changes_is_in_the_title(self) -> None:
        runs = [history(falling(9), validated=True), history(falling(5))]
        for run in runs:
            run.records = [replace(record, learning_rate=1e-3) for record in run.records]
        for figure in (curves(runs[0]), curves(*runs)):
            assert [axes.get_ylabel() for axes in figure.axes] == ["accuracy (%)", "loss"]
            assert figure.axes[-1].get_xlabel() == "epoch"
            assert figure.get_suptitle() == "pets-3: small, learning rate 0.001"
        runs[1].records = [replace(record, learning_rate=1e-2) for record in runs[1].records]
        assert curves(*runs).axes[-1].get_ylabel() == "learning rate"
        alone = [replace(record, accuracy=None) for record in runs[1].records]
        runs[1].records = alone
        assert [axes.get_ylabel() for axes in curves(runs[1]).axes] == ["loss"]

    def test_a_regression_has_no_panel_of_accuracies_and_a_legend(self) -> None:
        sound = history(falling(20), validated=True)
        sound.records = [
            replace(record, accuracy=None, validation_accuracy=None) for record in sound.records
        ]
        figure = curves(sound)
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "learning rate"]
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["training", "validation"]

    def test_zoom_starts_where_asked_and_fits_what_is_shown(self) -> None:
        losses = falling(30)
        figure = curves(history(losses), from_epoch=10)
        for axes in figure.axes:
            assert axes.get_xlim() == (10, 30)
        assert_shows(figure.axes[1], losses[10:])
        assert_shows(figure.axes[0], [90 / (1 + loss) for loss in losses[10:]])
        assert "from epoch 10" in figure.get_suptitle()

    def test_steps_replace_epochs_where_an_epoch_has_several(self) -> None:
        figure = plots.history(
            [history(falling(6))], title="small", dataset=WHERE, from_epoch=3, steps_per_epoch=10
        )
        assert figure.axes[-1].get_xlabel() == "step"
        assert list(np.asarray(figure.axes[0].lines[0].get_xdata())) == [30, 40, 50, 60]
        assert figure.axes[0].get_xlim() == (20, 60)
        assert "from step 20" in figure.get_suptitle()
        several = plots.comparison(
            {"a": [history(falling(3))]}, "loss", dataset=WHERE, steps_per_epoch=4
        )
        assert several.axes[0].get_xlabel() == "step"
        assert list(np.asarray(several.axes[0].lines[0].get_xdata())) == [4, 8, 12]

    def test_a_loss_back_near_its_start_leaves_the_others_readable(self) -> None:
        models = {"sound": [history([2.6, *[0.4] * 9])], "lost": [history([2.6, 0.7, *[2.1] * 8])]}
        figure = plots.comparison(models, "loss", dataset=WHERE, from_epoch=5)
        assert figure.axes[0].get_ylim()[1] < 1
        assert "lost, out of range" in texts(render(figure))

    def test_seeds_are_thin_lines_and_a_bold_median(self) -> None:
        runs = [history(falling(n, start)) for n, start in ((9, 2.0), (9, 3.0), (5, 4.0))]
        *thin, median = curves(*runs).axes[1].lines
        assert len(thin) == 3
        assert all(line.get_linewidth() < median.get_linewidth() for line in thin)
        middle = np.asarray(median.get_ydata())
        assert middle[:5] == pytest.approx(runs[1]["loss"][:5])
        assert middle[5:] == pytest.approx((runs[0]["loss"] + runs[1]["loss"])[5:] / 2)

    def test_median_ends_where_fewer_than_half_of_the_seeds_go_on(self) -> None:
        runs = [history(falling(n)) for n in (9, 4, 4)]
        median = np.asarray(curves(*runs).axes[1].lines[-1].get_ydata())
        assert np.isfinite(median[:4]).all()
        assert np.isnan(median[4:]).all()

    def test_validation_is_dashed_and_in_the_legend(self) -> None:
        figure = curves(history(falling(8), validated=True))
        for axes in figure.axes[:2]:
            training, held_out = axes.lines
            assert training.get_linestyle() == "-"
            assert held_out.get_linestyle() == "--"
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["training", "validation"]

    def test_wide_losses_get_a_logarithmic_axis_and_others_do_not(self) -> None:
        assert curves(history([2.0, 0.2, 0.02])).axes[1].get_yscale() == "log"
        assert curves(history([2.0, 1.0, 0.5])).axes[1].get_yscale() == "linear"

    @pytest.mark.parametrize("change", [1e-3, 1e-5, 1e-7])
    def test_ticks_of_a_nearly_constant_loss_differ(self, change: float) -> None:
        figure = render(curves(history([np.log(10) + change / epoch for epoch in range(1, 9)])))
        low, high = figure.axes[1].get_ylim()
        ticks = figure.axes[1].yaxis.get_major_ticks()
        labels = [tick.label1.get_text() for tick in ticks if low <= tick.get_loc() <= high]
        assert len(set(labels)) == len(labels) > 2

    def test_accuracy_has_a_linear_axis_however_wide(self) -> None:
        assert curves(history([1.0, 100.0])).axes[0].get_yscale() == "linear"

    def test_one_epoch(self) -> None:
        figure = render(curves(history([2.3], validated=True)))
        assert figure.axes[0].get_xlim() == (1, 2)
        assert figure.axes[1].lines

    @pytest.mark.parametrize("histories", [[], [History()], [History(), History()]])
    def test_no_epoch(self, histories: list[History]) -> None:
        assert "no epoch completed" in texts(render(curves(*histories)))

    def test_zoom_beyond_the_end(self) -> None:
        figure = curves(history(falling(5)), from_epoch=9)
        assert "no epoch completed from epoch 9 on" in texts(figure)
        assert figure.axes[0].get_xlim()[0] == 9

    @pytest.mark.parametrize("worst", [50.0, 1e30, 1e308, np.inf, np.nan])
    def test_a_loss_that_explodes_leaves_the_rest_readable(self, worst: float) -> None:
        figure = render(curves(history([*falling(20), worst, worst])))
        low, high = figure.axes[1].get_ylim()
        assert low < 0.5
        assert 2.3 < high < 60

    @pytest.mark.parametrize("losses", [[1e308] * 3, [0.0] * 3, [1.0, 0.0], [np.nan] * 3])
    def test_strange_losses_are_drawn(self, losses: list[float]) -> None:
        render(curves(history(losses, validated=True)))

    def test_one_diverged_seed_of_three_does_not_set_the_scale(self) -> None:
        sound = falling(30)
        bad = history([*falling(15), *[1e9] * 15])
        bad.stop_reason = StopReason.NON_FINITE_LOSS
        figure = curves(history(sound), history(sound), bad, from_epoch=5)
        assert_shows(figure.axes[1], sound[5:])
        assert "not shown: values up to 1e+09" in texts(figure)
        assert "training (1 of 3 diverged)" in texts(figure)

    def test_a_run_that_diverges_in_its_first_epoch_is_named_with_reason_and_step(self) -> None:
        bad = history([])
        bad.stop_reason = StopReason.NON_FINITE_LOSS
        bad.divergence = Divergence("the output of 2.dense", 0, 4, 0.5, None)
        models = {"sound": history(falling(5)), "momentum 0.5": bad}
        shown = texts(render(plots.comparison(models, "loss", dataset=WHERE)))
        assert "momentum 0.5 (diverged in epoch 1)" in shown
        words = "diverged in epoch 1 at step 5: the loss became NaN or infinite"
        assert words in texts(render(curves(bad)))

    def test_a_run_without_an_epoch_has_no_panel_of_accuracies(self) -> None:
        bad = history([])
        bad.stop_reason = StopReason.NON_FINITE_LOSS
        assert "accuracy (%)" not in [axes.get_ylabel() for axes in curves(bad).axes]

    def test_a_run_without_an_epoch_leaves_no_empty_margin_in_a_comparison(self) -> None:
        bad = history([])
        bad.stop_reason = StopReason.NON_FINITE_LOSS
        drawn = {"sound": history([1001.0, 1000.0])}
        edges = [
            render(plots.comparison(models, dataset=WHERE)).axes[0].get_position().x0
            for models in (drawn, {"bad": bad, **drawn})
        ]
        assert edges[1] == pytest.approx(edges[0], abs=0.01)

    def test_learning_rates_have_a_logarithmic_axis_on_request_only_and_its_label_says_so(
        self,
    ) -> None:
        run, rates = history(falling(5)), [0.1, 0.07, 0.04, 0.01, 1e-4]
        for scale, drawn, label in (
            ("auto", "linear", "learning rate"),
            ("log", "log", "learning rate (log)"),
        ):
            panel = plots.history(run, learning_rates=rates, scale=scale).axes[-1]  # type: ignore[arg-type]
            assert (panel.get_yscale(), panel.get_ylabel()) == (drawn, label)

    def test_a_logarithmic_scale_on_request_shows_a_diverged_run_whole(self) -> None:
        bad = history([2.3, 0.5, 1e6])
        for figure, panel in (
            (plots.history([bad], scale="log"), 1),
            (plots.comparison({"bad": bad, "sound": history(falling(3))}, scale="log"), 0),
        ):
            assert figure.axes[panel].get_yscale() == "log"
            assert figure.axes[panel].get_ylim()[1] > 1e6
            assert "not shown" not in texts(figure)
        assert plots.history([bad], scale="linear").axes[1].get_yscale() == "linear"
        with pytest.raises(ConfigurationError, match="scale"):
            plots.history([bad], scale="cubic")  # type: ignore[arg-type]

    def test_a_loss_with_penalty_is_drawn_without_it(self) -> None:
        penalized = history(falling(5), validated=True)
        penalized.records = [
            replace(each, loss=each.data_loss + 7.0, penalty=7.0) for each in penalized.records
        ]
        panel = curves(penalized).axes[1]
        assert panel.get_ylabel() == "loss\n(without penalty)"
        assert np.asarray(panel.lines[0].get_ydata()) == pytest.approx(falling(5))
        (compared,) = plots.comparison({"a": penalized}).axes
        assert compared.get_ylabel() == "training loss (without penalty)"
        (plain,) = plots.comparison({"a": history(falling(5))}).axes
        assert plain.get_ylabel() == "training loss"

    def test_a_run_that_collapses_alone_is_shown_whole(self) -> None:
        figure = curves(history([*falling(20), 4.0, 4.0]), from_epoch=15)
        assert_shows(figure.axes[1], [0.4, 4.0])

    def test_given_learning_rates_replace_those_of_the_histories(self) -> None:
        figure = plots.history(
            [history([2.0, 1.0])], title="small", dataset=WHERE, learning_rates=[3.0, 2.0]
        )
        assert list(np.asarray(figure.axes[2].lines[0].get_ydata())) == [3.0, 2.0]

    def test_refuses_learning_rates_of_another_length(self) -> None:
        with pytest.raises(ConfigurationError, match=r"each of the 2 epochs .* got 3"):
            plots.history(
                [history([2.0, 1.0])], title="small", dataset=WHERE, learning_rates=[3, 2, 1]
            )

    @pytest.mark.parametrize("start", [-1, 1.5, True])
    def test_refuses_what_is_no_epoch(self, start: int) -> None:
        with pytest.raises(ConfigurationError, match="from_epoch"):
            curves(history([2.0]), from_epoch=start)


def test_a_recorded_figure_has_a_panel_of_its_own() -> None:
    figure = render(curves(recording(history(falling(9), validated=True)), from_epoch=0))
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["accuracy (%)", "loss", "top5", "learning rate"]


class TestComparison:
    @pytest.mark.parametrize("column", list(COLUMNS))
    def test_draws_every_column(self, column: str) -> None:
        models = {"a": [history(falling(9), validated=True)], "b": [history(falling(5))]}
        figure = render(plots.comparison(models, column, dataset=WHERE))
        (axes,) = figure.axes
        assert axes.get_xlabel() == "epoch"
        assert axes.get_ylabel() == COLUMNS[column].label
        assert WHERE in figure.get_suptitle()

    def test_draws_a_recorded_figure_of_those_models_that_have_it(self) -> None:
        models = {"a": [recording(history(falling(9)))], "b": [history(falling(5))]}
        (axes,) = render(plots.comparison(models, "top5", dataset=WHERE)).axes
        assert axes.get_ylabel() == "top5"
        assert len(axes.lines) == 1
        with pytest.raises(ConfigurationError, match=r"'top6'.*Did you mean 'top5'"):
            plots.comparison(models, "top6", dataset=WHERE)

    @pytest.mark.parametrize("column", ["acuracy", "epoch"])
    def test_refuses_unknown_columns(self, column: str) -> None:
        with pytest.raises(ConfigurationError, match="unknown column"):
            plots.comparison({"a": [history([1.0])]}, column, dataset=WHERE)

    def test_models_differ_in_color_line_and_marker(self) -> None:
        models = {name: [history(falling(9))] for name in "abcd"}
        (axes,) = plots.comparison(models, "loss", dataset=WHERE).axes
        for look in ("color", "marker", "dashes"):
            looks = {
                str(line._unscaled_dash_pattern)  # type: ignore[attr-defined]
                if look == "dashes"
                else str(getattr(line, f"get_{look}")())
                for line in axes.lines
            }
            assert len(looks) == 4

    @pytest.mark.parametrize("worst", [8.0, 1e30])
    @pytest.mark.parametrize("column", ["accuracy", "loss"])
    def test_a_diverged_model_does_not_flatten_the_others(self, column: str, worst: float) -> None:
        sound, bad = history(falling(30)), history([*falling(20), *[worst] * 10])
        models = {"sound": [sound], "bad": [bad]}
        figure = render(plots.comparison(models, column, dataset=WHERE, from_epoch=10))
        factor = 100 if column == "accuracy" else 1
        assert figure.axes[0].get_xlim() == (10, 30)
        assert_shows(figure.axes[0], list(factor * sound[column][10:]))
        assert "not shown: values" in texts(figure)

    def test_a_model_that_failed_before_the_zoom(self) -> None:
        models = {"bad": [history([2.3, 0.5, *[1e9] * 8])], "good": [history(falling(10))]}
        figure = render(plots.comparison(models, "loss", dataset=WHERE, from_epoch=5))
        assert figure.axes[0].get_ylim()[1] < 3

    def test_the_legend_says_whose_line_is_nowhere_to_be_seen(self) -> None:
        models = {"bad": [history([2.3, 0.5, *[1e9] * 8])], "good": [history(falling(10))]}
        for from_epoch, label in ((0, "bad"), (5, "bad, out of range")):
            figure = render(plots.comparison(models, "loss", dataset=WHERE, from_epoch=from_epoch))
            assert [text.get_text() for text in figure.legends[0].get_texts()] == [label, "good"]

    def test_a_moderate_divergence_is_shown_and_the_left_out_accuracy_has_its_unit(self) -> None:
        models = {"good": history([2.3, 1.0, 0.5, 0.4]), "bad": history([2.3, 0.7, 5.5, 8.0])}
        figure = render(plots.comparison(models, "loss", dataset=WHERE))
        assert figure.axes[0].get_ylim()[1] > 8.0
        assert "not shown" not in texts(figure)
        models = {"good": history(falling(30)), "bad": history([*falling(20), *[8.0] * 10])}
        figure = render(plots.comparison(models, "accuracy", dataset=WHERE, from_epoch=10))
        assert "not shown: values down to 10 %" in texts(figure)

    def test_the_rows_of_the_legend_are_equally_long(self) -> None:
        names = ("sgd", "momentum", "adam, a rate too large", "adam-steady")
        models = {name: history(falling(4)) for name in names}
        (legend,) = render(plots.comparison(models, "loss", dataset=WHERE)).legends
        heights = [round(text.get_window_extent().y0) for text in legend.get_texts()]
        assert heights[0] == heights[2] != heights[1] == heights[3]

    def test_one_history_is_as_good_as_a_list_of_one(self) -> None:
        one = history(falling(4))
        figures = [
            plots.comparison({"a": each}, "loss", dataset=WHERE) for each in (one, [one])
        ] + [plots.history(each, title="a", dataset=WHERE) for each in (one, [one])]
        drawn = [[np.asarray(line.get_ydata()) for line in each.axes[0].lines] for each in figures]
        np.testing.assert_array_equal(drawn[0], drawn[1])
        np.testing.assert_array_equal(drawn[2], drawn[3])

    @pytest.mark.parametrize("wrong", [None, [None], "history", {"a": None}])
    def test_refuses_what_is_no_history(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError, match="must be an instance of History"):
            plots.comparison({"a": wrong}, "loss", dataset=WHERE)
        with pytest.raises(ConfigurationError, match="must be an instance of History"):
            plots.history(wrong, title="a", dataset=WHERE)
        with pytest.raises(ConfigurationError, match="models must be"):
            plots.comparison([history([1.0])], "loss", dataset=WHERE)  # type: ignore[arg-type]

    def test_without_models_or_epochs(self) -> None:
        cases: list[dict[str, list[History]]] = [{}, {"a": []}, {"a": [History()]}]
        for models in cases:
            figure = render(plots.comparison(models, "loss", dataset=WHERE))
            assert "no epoch completed" in texts(figure)

    def test_the_legend_of_many_models_leaves_the_panel_its_height(self) -> None:
        heights = []
        for count in (1, 20):
            names = [
                f"a model with a name of fifty characters, number {i:03}" for i in range(count)
            ]
            figure = render(plots.comparison({name: history(falling(4)) for name in names}))
            heights.append(figure.axes[0].bbox.height)
        assert heights[1] > 0.9 * heights[0]

    def test_many_models_fit_in_the_legend(self) -> None:
        models = {f"a model with a long name {i}": [history(falling(4))] for i in range(11)}
        figure = render(plots.comparison(models, "loss", dataset=WHERE))
        box = figure.legends[0].get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width

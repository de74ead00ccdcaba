"""Multilayer perceptrons, in place of scikit-learn's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handloom.estimators.classifier import Classifier
from handloom.estimators.parameters import suggesting
from handloom.estimators.perceptron import Perceptron
from handloom.estimators.regressor import Regressor
from handloom.schedules import Schedule
from handloom.training import Callback


class MLPClassifier(Classifier):
    """A multilayer perceptron for classes, in place of scikit-learn's.

    It minimizes the weighted mean of the rows' cross-entropy, plus penalties. With a final layer
    ``z``, two classes have ``p = sigmoid(z)``, more have ``p = softmax(z)``, and several labels a
    row have a sigmoid each.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        The widths of the hidden layers; an empty sequence gives a linear model.
    activation : str or sequence of str
        ``"identity"``, ``"logistic"``, ``"tanh"``, ``"relu"``, ``"leaky_relu"``, ``"elu"``,
        ``"silu"`` or ``"gelu"``, for all hidden layers or one for each.
    solver : {"adam", "sgd", "lbfgs"}
        How the objective is descended; ``"lbfgs"`` takes all rows at once.
    alpha : float
        The strength of the L2 penalty, ``alpha / 2 * sum w^2`` divided by the weight of the rows of
        a step. Biases have none.
    batch_size : int or "auto"
        Rows a step; ``"auto"`` is 200, or all where there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"} or callable
        How the rate changes. The names count for ``"sgd"`` alone: ``"invscaling"`` divides the rate
        by ``(rows seen + 1) ** power_t`` after each epoch, ``"adaptive"`` by 5 whenever training
        would end for lack of gain. A function from the step, counted from 0, to a rate, such as
        `handloom.InverseTimeDecay`, serves both solvers.
    learning_rate_init : float
        The rate at the beginning, where ``learning_rate`` is a name.
    power_t : float
        The exponent of ``"invscaling"``.
    max_iter : int
        How many epochs at most, or iterations of L-BFGS.
    shuffle : bool
        Whether batches take the rows in a new order each epoch.
    random_state : int, RandomState or None
        What starting weights, the held-out rows, shuffling and dropout draw from.
    tol : float
        The least gain of loss, or of the score with ``early_stopping``, that counts.
    verbose : bool
        Whether to show progress: a bar on a terminal, else a line an epoch.
    warm_start : bool
        Whether `fit` starts with the weights, and the state of the optimizer, that there are.
        Patience, best figures and schedule begin anew.
    momentum : float
        The fraction of the velocity that ``"sgd"`` keeps.
    nesterovs_momentum : bool
        Whether ``"sgd"`` looks ahead along the velocity.
    early_stopping : bool
        Whether to stop by the score of rows held out (the same fraction of both classes where there
        are two), and to end with the weights of the best one.
    validation_fraction : float
        The fraction of the rows to hold out for it.
    beta_1, beta_2, epsilon : float
        How much of its moments ``"adam"`` keeps, and what keeps it from dividing by zero.
    n_iter_no_change : int or inf
        How many epochs in a row may bring no gain.
    max_fun : int
        How often L-BFGS may measure the objective.
    dropout : float or sequence of float
        The fraction of a hidden layer's outputs left out at random in training, for all layers or
        one for each.
    label_smoothing : float
        The share of every target that is given to all classes alike.
    class_weight : dict, "balanced" or None
        What the rows of each class weigh, by class; balanced, all classes weigh the same.
    l1 : float
        The strength of the L1 penalty, ``l1 * sum |w|``, divided like that of ``alpha``.
    weight_decay : float
        How fast weights shrink by themselves: each step at rate ``r`` takes ``r weight_decay w``
        from them, whatever the size of the batch. Biases do not.
    restore_best : bool
        Whether to end with the weights of the epoch with the least validation loss, or training
        loss where nothing is held out. With ``early_stopping`` the score decides anyway.
    callbacks : list of handloom.Callback or None
        Called as the trainer calls them.
    threads : int or None
        How many threads share a step; by default the cores there are. The result is the same.
    backend : {"auto", "numpy", "fused"}
        What runs the arithmetic: NumPy or compiled code. ``"auto"`` takes compiled code wherever it
        is installed (the extra ``fast``). The first fit of a process then waits a second until it
        is loaded.
    on_divergence : {"raise", "warn"}
        What to do when weights, loss or gradient are no longer finite. Either way the model cannot
        predict, so that it never scores; but where ``early_stopping``, ``restore_best`` or a
        callback kept the best weights it gets them back, with a warning, as scikit-learn's does.

    Attributes
    ----------
    coefs_, intercepts_ : list of array
        Weights of shape (d, h) and biases of shape (h,), layer by layer: views of the network's.
    network_ : handloom.Sequential
        The network, which ends in logits.
    loss_, best_loss_ : float
        The objective of the last epoch, and the least; the latter is None with early stopping.
    loss_curve_, validation_loss_curve_, validation_scores_ : list of float
        An entry an epoch, going on where a fit goes on from another; the last two are None where
        nothing is held out.
    best_validation_score_ : float or None
        The best score.
    n_iter_, t_ : int
        The epochs of the latest fit, and the rows seen in all.
    n_layers_, n_outputs_, n_features_in_ : int
        How many layers there are, input and output included, how many outputs, how many inputs.
    feature_names_in_ : array of str
        The names of the columns, where they have some.
    out_activation_ : str
        What makes predictions of logits.
    classes_ : array, shape (k,)
        The classes, in order.

    Raises
    ------
    TypeError
        If a parameter is unknown; the nearest known one is named.

    References
    ----------
    Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015; Glorot, Bengio,
    "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, on
    starting weights.
    """

    @suggesting
    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str | Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float | Sequence[float] = 0.0,
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        restore_best: bool = False,
        callbacks: Sequence[Callback] | None = None,
        threads: int | None = None,
        backend: str = "auto",
        on_divergence: str = "raise",
    ) -> None:
        self._keep(locals())

    def _architecture(self) -> Perceptron:
        return Perceptron(
            self.hidden_layer_sizes, self.activation, self.dropout, self.alpha, self.l1
        )


class MLPRegressor(Regressor):
    """A multilayer perceptron for numbers, in place of scikit-learn's.

    It minimizes the weighted mean of the rows' losses, plus penalties. A row's loss is the sum over
    its outputs, with a final layer ``z`` and targets ``y``::

        squared_error:  (z - y)^2 / 2                       the prediction is z
        poisson:        exp(z) - y - y (z - log y)          the prediction is exp(z)

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
        What a prediction costs; ``"poisson"`` needs ``y`` to be at least 0.
    hidden_layer_sizes, activation, ..., on_divergence
        As in `MLPClassifier`, which has ``class_weight`` and ``label_smoothing`` besides. The score
        is the coefficient of determination.

    Attributes
    ----------
    coefs_, intercepts_, ..., out_activation_
        As in `MLPClassifier`, but for the classes.

    Raises
    ------
    TypeError
        If a parameter is unknown; the nearest known one is named.
    """

    @suggesting
    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str | Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float | Sequence[float] = 0.0,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        restore_best: bool = False,
        callbacks: Sequence[Callback] | None = None,
        threads: int | None = None,
        backend: str = "auto",
        on_divergence: str = "raise",
    ) -> None:
        self._keep(locals())

    def _architecture(self) -> Perceptron:
        return Perceptron(
            self.hidden_layer_sizes, self.activation, self.dropout, self.alpha, self.l1
        )

"""Multilayer perceptrons: drop-in replacements for scikit-learn's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from handloom.estimators.classifier import Classifier
from handloom.estimators.constraints import with_suggestions
from handloom.estimators.perceptron import PerceptronArchitecture
from handloom.estimators.regressor import Regressor
from handloom.losses import Loss
from handloom.schedules import Schedule
from handloom.training import Callback
from handloom.training.docstrings import describes_options_of


class MLPClassifier(Classifier):
    """A multilayer perceptron classifier, a drop-in replacement for scikit-learn's.

    It minimizes the weighted mean cross-entropy plus penalties. With logits ``z``, two classes have
    ``p = sigmoid(z)``, more have ``p = softmax(z)``, and several labels per row have a sigmoid
    each.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        The widths of the hidden layers; an empty sequence gives a linear model.
    activation : str or sequence of str
        ``"identity"``, ``"logistic"``, ``"tanh"``, ``"relu"``, ``"leaky_relu"``, ``"elu"``,
        ``"silu"`` or ``"gelu"``, for all hidden layers or one for each.
    solver : {"adam", "sgd", "lbfgs"}
        The optimizer; ``"lbfgs"`` takes all rows at once (full batch).
    alpha : float
        The strength of the L2 penalty, ``alpha / 2 * sum w^2`` divided by the sum of the sample
        weights of a step. Biases have none.
    batch_size : int or "auto"
        Rows per step; ``"auto"`` is 200, or all rows if there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"} or callable
        The learning rate schedule. The names apply to ``"sgd"`` only: with ``"invscaling"`` the
        rate of an epoch is ``learning_rate_init / (t + 1) ** power_t``, where ``t`` is the number
        of rows seen before it; ``"adaptive"`` divides the rate by 5 whenever training would end for
        lack of improvement. A function from the step, counted from 0, to a rate, such as
        `handloom.InverseTimeDecay`, works with ``"sgd"`` and ``"adam"``.
    learning_rate_init : float
        The initial learning rate, if ``learning_rate`` is a name.
    power_t : float
        The exponent of ``"invscaling"``.
    max_iter : int
        The maximum number of epochs, or of iterations of L-BFGS.
    shuffle : bool
        Whether batches take the rows in a new order each epoch.
    random_state : int, RandomState or None
        The source of initial weights, held-out rows, shuffling and dropout.
    tol : float
        The smallest improvement of the loss, or of the score with ``early_stopping``, that counts.
    verbose : bool
        Whether to show progress: a bar on a terminal, else a line per epoch.
    warm_start : bool
        Whether `fit` continues from the current weights and optimizer state. Patience, best values
        and schedule start again.
    momentum : float
        The fraction of the velocity that ``"sgd"`` keeps.
    nesterovs_momentum : bool
        Whether ``"sgd"`` uses Nesterov momentum.
    early_stopping : bool
        Whether to stop by the validation score of held-out rows (stratified if there are two
        classes), and to restore the weights of the best score.
    validation_fraction : float
        The fraction of the rows to hold out.
    scoring : str, callable or None
        The score of held-out rows: any of scikit-learn's names, such as ``"roc_auc"``, or a
        function ``score(estimator, X, y)``, which gets ``sample_weight`` too if there are weights.
        By default accuracy, R^2, or D^2 of quantiles. It needs held-out rows.
    beta_1, beta_2, epsilon : float
        The decay rates of the moments of ``"adam"``, and the constant added to its denominator for
        numerical stability. As in scikit-learn it is added before bias correction, with the default
        1e-8; `handloom.Adam` adds it after, with the default 1e-7.
    n_iter_no_change : int or inf
        The maximum number of epochs in a row without improvement.
    max_fun : int
        The maximum number of evaluations of the objective by L-BFGS.
    max_time : float or None
        The seconds after which the fit ends, with a warning, after a whole step or iteration; see
        `handloom.TimeLimit`. Compilation is not counted.
    categorical_features : {"from_dtype"}, array of bool, of str or of int, or None
        The columns that hold categories, as in scikit-learn's ``HistGradientBoostingClassifier``: a
        mask, names or indices; with ``"from_dtype"`` all columns of texts, and those of a dtype of
        categories. With any of these, rows are a frame or an array as it is: the encoding learned
        from the training rows is kept in ``columns_``, and applied to all other rows. Numbers and
        booleans are standardized; missing values become the mean and, if training rows have
        some, 1 in a column of their own. An unseen category counts as none of the known ones, with
        a `DataWarning`. By default rows hold numbers, and are taken as they are.
    categorical_encoding : {"one-hot", "embed"}
        A column of 0 and 1 for each category, up to 50; or a learned vector for each, in an
        `handloom.Embedding` that precedes the other layers. The vectors have no penalty.
    dropout : float or sequence of float
        The dropout rate after each hidden layer, for all layers or one for each.
    label_smoothing : float
        The fraction of every target that is spread evenly over all classes.
    loss : Loss or None
        A loss that replaces the cross-entropy, such as a focal loss of your own. Its
        ``output_activation`` is ``"sigmoid"`` for two classes or several labels, else
        ``"softmax"``; in a `NetworkClassifier` two classes have a softmax too.
    class_weight : dict, "balanced" or None
        The weight of each class, by class; with ``"balanced"`` all classes have the same total
        weight in the training rows. Validation rows have the same class weights, in loss and score.
    l1 : float
        The strength of the L1 penalty, ``l1 * sum |w|``, divided like that of ``alpha``.
    weight_decay : float
        Decoupled weight decay: each step at rate ``r`` subtracts ``r weight_decay w`` from the
        weights, for any batch size. Biases do not decay.
    proximal_l1 : float
        The strength of an L1 penalty in a proximal step: each step at rate ``r`` ends by moving the
        weights toward 0 by ``r proximal_l1``, and those closer to 0 become 0. It is not in the
        loss. With ``l1`` weights become small, but not 0.
    restore_best : bool
        Whether to restore the weights of the epoch with the lowest validation loss, or training
        loss if no rows are held out. With ``early_stopping`` it has no effect: the weights of the
        best score are restored.
    callbacks : list of handloom.Callback or None
        Callbacks for the trainer.
    threads : int or None
        The number of threads per step; by default the number of cores. The result does not depend
        on it.
    backend : {"auto", "numpy", "fused"}
        NumPy or compiled kernels. ``"auto"`` takes compiled kernels if they are installed (the
        extra ``fast``) and work here, else NumPy. The first fit of a process then takes a second
        longer to load them.
    on_divergence : {"raise", "warn"}
        The reaction to NaN or infinity in weights, loss or gradient: an error, or a warning. In
        both cases the model can neither predict nor score; but the error of a fit that continues
        another one (``partial_fit``, ``warm_start``) keeps the weights of before. If
        ``early_stopping``, ``restore_best`` or a callback kept the best weights, they are restored
        instead, always with a warning, as scikit-learn does.

    Attributes
    ----------
    coefs_, intercepts_ : list of array
        Weights of shape (d, h) and biases of shape (h,), layer by layer: views of the network's.
    network_ : handloom.Sequential
        The network, without the output activation.
    loss_, best_loss_ : float
        The objective of the last epoch, and the lowest; the latter is None with early stopping.
    loss_curve_, validation_loss_curve_, validation_scores_ : list of float
        One entry per epoch, continued by a warm start or ``partial_fit``.
        ``validation_loss_curve_`` and ``validation_scores_`` are None without held-out rows. With
        ``"lbfgs"`` none of the three exists, nor do ``best_loss_`` and
        ``best_validation_score_``.
    best_validation_score_ : float or None
        The best score; None without held-out rows.
    n_iter_, t_ : int
        The epochs (``"lbfgs"``: iterations) of the latest fit, and the total number of rows seen.
    n_layers_ : int
        The number of layers, input and output included.
    n_outputs_, n_features_in_ : int
        The number of outputs, and of the columns of ``X``.
    feature_names_in_ : array of str
        The names of the columns, if they have names.
    columns_ : handloom.data.Columns
        The encoding of the columns, with ``categorical_features``; otherwise it does not exist.
    out_activation_ : str
        The activation from logits to predictions. It may be set to another one, which predictions
        then use: ``"identity"``, ``"logistic"``, ``"softmax"``, ``"exp"``, ``"tanh"`` or
        ``"relu"``.
    classes_ : array, shape (k,)
        The classes, in ascending order.

    Raises
    ------
    TypeError
        If a parameter is unknown; the message suggests the nearest known one.

    References
    ----------
    Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015; Glorot, Bengio,
    "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, on
    initial weights.
    """

    @with_suggestions
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
        scoring: str | Callable[..., float] | None = None,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        max_time: float | None = None,
        categorical_features: Sequence[Any] | str | None = None,
        categorical_encoding: str = "one-hot",
        dropout: float | Sequence[float] = 0.0,
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        loss: Loss | None = None,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        proximal_l1: float = 0.0,
        restore_best: bool = False,
        callbacks: Sequence[Callback] | None = None,
        threads: int | None = None,
        backend: str = "auto",
        on_divergence: str = "raise",
    ) -> None:
        self._store_parameters(locals())

    def _architecture(self) -> PerceptronArchitecture:
        return PerceptronArchitecture(
            self.hidden_layer_sizes,
            self.activation,
            self.dropout,
            self.alpha,
            self.l1,
            self._embedded,
        )


@describes_options_of(MLPClassifier, attributes_except=["classes_"])
class MLPRegressor(Regressor):
    """A multilayer perceptron regressor, a drop-in replacement for scikit-learn's.

    It minimizes the weighted mean of the rows' losses, plus penalties. The loss of a row is the sum
    over its outputs, with a final layer ``z`` and targets ``y``::

        squared_error:  (z - y)^2 / 2                       the prediction is z
        poisson:        exp(z) - y - y (z - log y)          the prediction is exp(z)

    or the mean over its outputs, where the prediction is ``z``::

        absolute_error: |z - y|
        huber:          (z - y)^2 / 2, linear from |z - y| = 1
        quantile:       (1 - quantile) (z - y) above y, quantile (y - z) below

    The score is the coefficient of determination, R^2; for quantiles it is D^2, see `score`.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber", "poisson", "quantile"} or Loss
        The loss function, by scikit-learn's names, or a loss such as ``handloom.Huber(delta=5)`` or
        one of your own. ``"poisson"`` needs ``y`` to be at least 0.
    quantile : float, sequence of float or None
        The quantile that ``loss="quantile"`` needs, between 0 and 1; or several in ascending order.
        Then `predict` returns a column for each, and no quantile is above a higher one; see
        `handloom.Pinball`.

    Raises
    ------
    TypeError
        If a parameter is unknown; the message suggests the nearest known one.
    """

    @with_suggestions
    def __init__(
        self,
        loss: str | Loss = "squared_error",
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
        scoring: str | Callable[..., float] | None = None,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        max_time: float | None = None,
        categorical_features: Sequence[Any] | str | None = None,
        categorical_encoding: str = "one-hot",
        quantile: float | Sequence[float] | None = None,
        dropout: float | Sequence[float] = 0.0,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        proximal_l1: float = 0.0,
        restore_best: bool = False,
        callbacks: Sequence[Callback] | None = None,
        threads: int | None = None,
        backend: str = "auto",
        on_divergence: str = "raise",
    ) -> None:
        self._store_parameters(locals())

    def _architecture(self) -> PerceptronArchitecture:
        return PerceptronArchitecture(
            self.hidden_layer_sizes,
            self.activation,
            self.dropout,
            self.alpha,
            self.l1,
            self._embedded,
        )

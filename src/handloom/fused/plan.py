"""The plan of a compiled step: its operations, as tables, and the arrays that it works on."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.operations import Array

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]


class Plan(NamedTuple):
    """The operations of compiled steps, and the arrays that they read and write.

    Attributes
    ----------
    header : int64 array
    settings : float64 array
        See `handloom.fused.plan_fields` for both.
    phases : int64 array, shape (phases, 3)
        See `handloom.fused.phases.phases_of`.
    layers : int64 array, shape (layers, 7)
        See `handloom.fused.layer_table.layer_table`.
    parameters : float64 array, shape (layers,)
        The parameters of the activations.
    norms : int64 array, shape (layers, 4)
        For each batch normalization the rows of a group, the offsets of the running mean and
        variance, and the first of its columns in ``statistics``; for each layer normalization, in
        the last column, its index in ``moments``.
    norm_options : float64 array, shape (layers, 2)
        Its momentum, of batch normalization only, and epsilon.
    statistics : array, shape (8, groups, columns)
        See `handloom.fused.step_columns`.
    moments : array, shape (layer normalizations, rows, 2)
        See `handloom.fused.step_layer_norm`.
    arrays : int64 array, shape (arrays, 4)
        Every trained array: offset, rows, columns, whether it decays; the proximal step applies
        to those that do.
    penalties : float64 array, shape (arrays, 2)
        The l1 and l2 of each.
    key : uint64 array, shape (2,)
    counters : uint64 array, shape (parts, 16)
    words : uint64 array, shape (parts, 64)
        For the random draws of each part; see `handloom.randomness.philox`.
    constants : array
        See `handloom.fused.exponential.exp_constants`.
    values, average : array, shape (size + untrained,)
        All arrays of the network, and their average or an empty array.
    gradient, first, second : array, shape (size,)
        The gradient of the weights, and the optimizer's vectors or empty arrays.
    images : uint8 array, shape (parts, d)
        The moved image of a row.
    x : array, shape (rows * d,)
        The transformed rows of a batch.
    outputs, slopes, deltas : array, shape (rows * units,)
        For each layer its output after the activation, the derivatives where they are stored, and
        the gradient of its output before the activation; one layer after another.
    kept : uint8 array, shape (rows * units,)
        The masks of dropout, in the same layout; empty without dropout.
    zeros : array, shape (largest units,)
        In place of biases where a layer has none.
    shifts : array, shape (rows, 2)
        See `handloom.fused.row_losses.softmax_rows`.
    coefficients : array, shape (8,)
        Those of the optimizer in the current step.
    sums : float64 array, shape (parts, 4)
        Sums of the parts of a step.
    order : int64 array
        The rows of all steps of a call, one step after another.
    starts : int64 array, shape (steps + 1,)
        Where each step begins in it.
    labels : int64 array, shape (n,)
        The class of each row of the call, in its order, or empty.
    targets : array, shape (n, k)
        The targets of each row of the call, or shape (0, k) with classes.
    weights : array, shape (n,)
        The sample weights of each row of the call, or empty.
    moves : int64 array, shape (n, 3)
        How the image of each row of the call is augmented, or of shape (0, 3).
    rates : float64 array, shape (steps,)
    figures : float64 array, shape (steps, 5)
        The measured sums of each step; the last column is the total weight.
    """

    header: Ints
    settings: Floats
    phases: Ints
    layers: Ints
    parameters: Floats
    norms: Ints
    norm_options: Floats
    statistics: Array
    moments: Array
    arrays: Ints
    penalties: Floats
    key: Words
    counters: Words
    words: Words
    constants: Array
    values: Array
    gradient: Array
    first: Array
    second: Array
    average: Array
    images: npt.NDArray[np.uint8]
    x: Array
    outputs: Array
    slopes: Array
    deltas: Array
    kept: npt.NDArray[np.uint8]
    zeros: Array
    shifts: Array
    coefficients: Array
    sums: Floats
    order: Ints
    starts: Ints
    labels: Ints
    targets: Array
    weights: Array
    moves: Ints
    rates: Floats
    figures: Floats

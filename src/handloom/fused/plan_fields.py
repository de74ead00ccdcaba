"""The indices of the header of a plan, the codes among them, and the columns of its figures."""

GEMM, PARTS, PHASE, STEP, STORED, SOURCE, LOSS, OPTIMIZER, STEPS_BEFORE, AVERAGED_BEFORE = range(10)
COUNTS_CORRECT, THREADS, EPOCH, FIRST, ACCEPTED, HEIGHT, WIDTH = range(10, 17)
HEADER = 17
"""The indices of ``header``, and how many there are.

===============  ==============================================================================
GEMM             the address of BLAS's ``gemm``
PARTS            the number of parts of each phase
PHASE, STEP      the index of the phase that is running, and of its step within the call
STORED, SOURCE   the code of the stored rows' dtype, and the address of the first row
LOSS             see `handloom.fused.row_losses`
OPTIMIZER        see below
STEPS_BEFORE     the optimizer's steps before the call
AVERAGED_BEFORE  the steps in the average of the weights before the call
COUNTS_CORRECT   whether correct predictions are counted
THREADS          the address of BLAS's function that returns its number of threads
EPOCH, FIRST     the epoch of the steps of the call, and the index of the first one within it
ACCEPTED         the number of steps that the call has accepted
HEIGHT, WIDTH    the size of stored images, if they are moved
===============  ==============================================================================
"""

SHIFT, FACTOR, LOSS_PARAMETER, TOTAL_WEIGHT, CLIP, PER_ROW, DECAY, AVERAGE_DECAY = range(8)
CLIP_FACTOR, SHRINK, AVERAGE_WEIGHT, OPTION1, OPTION2, OPTION3 = range(8, 14)
PROXIMAL, THRESHOLD = 14, 15
SETTINGS = 16
"""The indices of ``settings``, and how many there are.

===================  ==========================================================================
SHIFT, FACTOR        of the transform: ``x = (stored - shift) factor``
LOSS_PARAMETER       see `handloom.fused.row_losses`
TOTAL_WEIGHT         the sum of the sample weights of the step
CLIP                 the largest norm of the gradient; 0 for none
PER_ROW              1 if penalties are divided by the total weight
DECAY                the weight decay
AVERAGE_DECAY        the decay of the average of the weights
CLIP_FACTOR          the factor that multiplies the gradient of the step
SHRINK               the factor that multiplies decaying weights in the step
AVERAGE_WEIGHT       the weight of the step in the average
OPTION1, ...         the options of the optimizer, see below
PROXIMAL             the strength of the proximal step
THRESHOLD            by which the proximal step moves weights toward 0
===================  ==========================================================================
"""

SGD, MOMENTUM, NESTEROV, ADAM, ADAM_UNCORRECTED, ADAPTIVE = range(6)
"""Optimizers. Their options: momentum; beta1, beta2 and epsilon; decay, weight and epsilon."""

BYTES, FLOAT32, FLOAT64 = range(3)
"""The dtypes of stored rows, `handloom.operations.STORED_DTYPES`."""

GROUP_ROWS, RUNNING_MEAN, RUNNING_VARIANCE, FIRST_COLUMN = range(4)
"""The columns of ``norms``; see `handloom.fused.plan.Plan`."""

DATA_LOSS, PENALTY, CORRECT, SQUARES, WEIGHT = range(5)
"""The columns of ``figures``; the first four are those of ``sums`` too."""

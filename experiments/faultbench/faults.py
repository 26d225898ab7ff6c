"""The faults of the bench, each with the symptoms that name its cause.

The halves were fixed before any threshold was chosen: faults of one kind stand in both, but no
setting does.
"""

from experiments.faultbench import injections as inject
from experiments.faultbench.case import HELD_OUT, TUNING, Case

FAST = {
    "batch_size": 256,
    "optimizer": "nadamw",
    "learning_rate": 0.02,
    "schedule": "constant",
    "weight_decay": 0.1,
}
RATE_HIGH = ("updates too large", "diverging loss")
RATE_LOW = ("updates too small", "slow learning")
STATISTICS = ("running statistics never updated", "running statistics off")

FAULTS = (
    # The learning rate, its schedule, and what changes the size of a step.
    Case("learning rate x 30", TUNING, RATE_HIGH, recipe={"learning_rate": 3.0}),
    Case("learning rate x 300", HELD_OUT, RATE_HIGH, recipe={"learning_rate": 30.0}),
    Case("learning rate / 300", TUNING, RATE_LOW, recipe={"learning_rate": 0.1 / 300}),
    Case("learning rate / 3,000", HELD_OUT, RATE_LOW, recipe={"learning_rate": 0.1 / 3_000}),
    Case("warm-up of 100,000 steps", TUNING, ("long warm-up",), recipe={"warmup_steps": 100_000}),
    Case(
        *("learning rate falls after 10 steps", HELD_OUT, ("early drop",)),
        recipe={"drop_step": 10, "drop_factor": 0.001},
    ),
    Case(
        "gradients clipped to 0.001", HELD_OUT, ("clipped gradients",), recipe={"clip_norm": 0.001}
    ),
    Case("weight decay 1", TUNING, ("strong weight decay",), recipe=FAST | {"weight_decay": 1.0}),
    Case(
        "weight average that keeps the start",
        TUNING,
        ("average that lags",),
        recipe={"ema_decay": 0.99999},
    ),
    # Initial weights.
    Case("gain x 5", TUNING, ("saturated tanh",), model={"gain": 25 / 3}),
    Case(
        *("no BatchNorm, gain x 3", HELD_OUT, ("saturated tanh", "high first loss")),
        model={"norm": "none", "gain": 5.0},
    ),
    Case(
        *("no BatchNorm, gain / 5", TUNING, ("vanishing gradients",)),
        model={"norm": "none", "gain": 1 / 3},
    ),
    Case(
        *("12 layers, no BatchNorm, gain 0.7", HELD_OUT, ("vanishing gradients",)),
        model={"norm": "none", "gain": 0.7, "hidden_layers": 12},
    ),
    Case(
        *("one letter's logit + 10", TUNING, ("high first loss",)),
        start=inject.params_changed(inject.output_bias),
    ),
    Case("logits x 100", HELD_OUT, ("high first loss",), model={"output_gamma": 10.0}),
    Case(
        *("60 dead units of 100", TUNING, ("dead units",)),
        start=inject.params_changed(inject.hidden_changed(1, inject.beta(20.0, 0.6))),
    ),
    Case(
        *("70 dead relus of 100", HELD_OUT, ("dead units",)),
        model={"activation": "relu"},
        start=inject.params_changed(inject.hidden_changed(2, inject.beta(-8.0, 0.7))),
    ),
    Case(
        *("weights of a layer 0", TUNING, ("collapsed layer", "frozen weights")),
        start=inject.params_changed(inject.hidden_changed(2, inject.weights_times(0.0))),
    ),
    Case(
        *("scale of a BatchNorm 0", HELD_OUT, ("collapsed layer", "frozen weights")),
        start=inject.params_changed(inject.hidden_changed(1, inject.gamma(0.0))),
    ),
    # Gradients that do not arrive.
    Case(
        *("frozen hidden layer", TUNING, ("frozen weights",)),
        wrap=inject.freezing(inject.frozen_hidden),
    ),
    Case(
        *("frozen embedding", HELD_OUT, ("frozen weights",)),
        wrap=inject.freezing(inject.frozen_embedding),
    ),
    # BatchNorm.
    Case("BatchNorm momentum 0", TUNING, STATISTICS[:1], model={"momentum": 0.0}),
    Case("BatchNorm momentum 1", HELD_OUT, STATISTICS[1:], model={"momentum": 1.0}),
    Case("batch of 2", TUNING, ("small batch",), recipe={"batch_size": 2}),
    Case(
        *("evaluation in training mode", TUNING, ("evaluation in training mode",)),
        wrap=inject.always_training,
    ),
    Case(
        *("statistics of two layers exchanged", HELD_OUT, ("running statistics of another layer",)),
        end=inject.swapped_statistics,
    ),
    # Numbers and state.
    Case(
        *("NaN in the embedding", TUNING, ("non-finite numbers",)),
        start=inject.params_changed(inject.nan_row),
    ),
    Case("NaN in a running mean", HELD_OUT, ("non-finite numbers",), resume=inject.nan_statistics),
    Case(
        "float16 overflow",
        HELD_OUT,
        ("overflow",),
        model={"gain": 1e5},
        start=inject.params_changed(inject.halved),
    ),
    Case(
        *("optimizer state lost at resume", TUNING, ("lost optimizer state",)),
        recipe=FAST,
        resume=inject.fresh_optimizer,
    ),
    Case(
        *("schedule 1,000 steps ahead", HELD_OUT, ("schedule out of step",)),
        recipe={"drop_step": 1_000},
        start=inject.late_by(1_000),
    ),
    # How training reads the list.
    Case("targets one later", TUNING, ("targets one later",), read=inject.ahead(2)),
    Case("targets one earlier", HELD_OUT, ("targets one earlier",), read=inject.ahead(0)),
    Case(
        *("contexts reversed", HELD_OUT, ("contexts reversed",)),
        read=inject.misread(inject.reverse),
    ),
    Case("names without boundaries", TUNING, ("missing token",), read=inject.without_boundaries),
    Case(
        *("half of the targets random", TUNING, ("noise in training",)),
        read=inject.misread(inject.noise_targets(0.5, 27)),
    ),
    Case("dropout 0.9", HELD_OUT, ("strong dropout", "noise in training"), model={"dropout": 0.9}),
    Case(
        "contexts replaced by noise",
        HELD_OUT,
        ("strong noise", "noise in training"),
        recipe={"noise": 1.0},
    ),
    Case(
        *("the same batch in every step", HELD_OUT, ("few examples in the batches",)),
        read=inject.same_batch,
    ),
    # The list and its parts.
    Case(
        *("training names in validation", TUNING, ("training names in validation",)),
        parts=inject.leaked,
    ),
    Case("list sorted by length", TUNING, ("parts that differ",), parts=inject.sorted_by(len)),
    Case(
        *("list sorted by the alphabet", HELD_OUT, ("parts that differ",)),
        parts=inject.sorted_by(lambda name: name.tolist()),
    ),
    Case("list joined with itself", HELD_OUT, ("repeated list",), parts=inject.doubled),
    Case("30 names", TUNING, ("overfitting",), parts=inject.first_names(30)),
    Case(
        "other vocabulary in validation", HELD_OUT, ("parts that differ",), parts=inject.renumbered
    ),
)

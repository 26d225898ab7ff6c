"""Checks of the training state: its numbers, its counters and its running statistics."""

from collections.abc import Iterator

from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.finding import Finding

# running statistics, in standard deviations; those of one batch of 32 are off by 0.18
MAX_GAP = 0.12
MAX_DEPENDENCE = 0.01  # of logits on the other rows of a batch
MAX_LAG = 0.1  # nats that averaged parameters are worse


def non_finite(evidence: Evidence) -> Iterator[Finding]:
    """Find numbers of the state that are not finite."""
    if not evidence.non_finite:
        return
    more = f" and {len(evidence.non_finite) - 1} more" * (len(evidence.non_finite) > 1)
    yield Finding(
        *("non-finite numbers", f"{evidence.non_finite[0]}{more}", len(evidence.non_finite), 0),
        "the last state with finite numbers, and the input or the change that came after it",
        " arrays",
        "fault",
    )


def precision(evidence: Evidence) -> Iterator[Finding]:
    """Find 16-bit parameters in a run that ended with a non-finite number."""
    halves = [dtype for dtype in evidence.dtypes if dtype in ("float16", "bfloat16")]
    if halves and evidence.final_loss is not None and not abs(evidence.final_loss) < float("inf"):
        yield Finding(
            *("overflow", f"parameters of type {halves[0]}", 16, 32),
            "parameters in float32, whose largest number is 3e38; that of float16 is 65,504",
            " bits",
            "fault",
        )


def counters(evidence: Evidence) -> Iterator[Finding]:
    """Find counters of the state that do not show the number of trained steps."""
    for name, count in (evidence.counters or {}).items():
        if evidence.steps is not None and count != evidence.steps:
            lost = name != "step" and count < evidence.steps
            yield Finding(
                "lost optimizer state" if lost else "schedule out of step",
                f"steps by the counter {name}",
                count,
                evidence.steps,
                "a resumed run with the whole saved state: checkpoint.load"
                if lost
                else "a learning rate for each step that was trained: train.init counts from 0",
                grade="fault",
            )
            return


def running(evidence: Evidence) -> Iterator[Finding]:
    """Find running statistics that are not those of the training examples."""
    gaps = [gap for gap in evidence.running if not gap.size <= MAX_GAP]
    if not gaps or (evidence.steps or 0) < 100:
        return
    worst = max(gaps, key=lambda gap: gap.size)
    untouched = all(gap.untouched for gap in evidence.running)
    swapped = next((gap for gap in gaps if gap.other), None)
    changes = {"momentum": 0.1}
    if untouched:
        symptom, grade = "running statistics never updated", "fault"
        remedy = "the statistics that apply returns with train=True, and a momentum of 0.1"
    elif swapped:
        symptom, grade, worst = "running statistics of another layer", "fault", swapped
        remedy = f"the statistics at their own layer: these are those of {swapped.other}"
        changes = {}
    else:
        symptom, grade = "running statistics off", "warning"
        remedy = "a momentum of 0.1, --calibrate, or a larger batch"
    yield Finding(
        symptom,
        f"{worst.name}: difference to those of many training examples, in standard deviations",
        worst.size,
        MAX_GAP,
        remedy,
        grade=grade,
        changes=changes,
    )


def dependence(evidence: Evidence) -> Iterator[Finding]:
    """Find predictions that depend on the other rows of the batch."""
    if evidence.probe and not evidence.probe.dependence <= MAX_DEPENDENCE:
        yield Finding(
            "evaluation in training mode",
            "logits of a context in a batch, minus those of the context by itself",
            evidence.probe.dependence,
            MAX_DEPENDENCE,
            "running statistics in evaluation: apply(..., train=False)",
            grade="fault",
        )


def averaged(evidence: Evidence) -> Iterator[Finding]:
    """Find averaged parameters that are worse than the last ones."""
    last, own = evidence.unaveraged_loss_val, evidence.loss_val
    if last is not None and own is not None and own - last > MAX_LAG:
        yield Finding(
            "average that lags",
            "validation loss of the averaged parameters minus that of the last ones",
            own - last,
            MAX_LAG,
            "a lower --ema-decay, which forgets the first steps",
            " nats",
            changes={"ema_decay": 0.99},
        )

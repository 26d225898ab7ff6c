"""What the MLP's program prints after training."""

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from mmjax.cli.interruption import Interruption
from mmjax.evaluate import MAX_KL
from mmjax.io.text import Table, aligned
from mmjax.report.snapshot import health_lines, verdict_lines
from mmjax.runs import verdict
from mmjax.runs.outcome import CHECKED_SAMPLES
from mmjax.runs.result import RunResult
from mmjax.runs.sampled import ON_SAMPLES
from mmjax.runs.samples import sample_lines
from mmjax.runs.seeds import Row

REMEDY = "start over with a lower --learning-rate, such as a tenth"


def heading(result: RunResult, seeds: int) -> str:
    """Return lines on what was trained, on what and for how long."""
    figures, size = result.figures, result.vocab.size
    each = f" for each of {seeds} seeds" if seeds > 1 else ""
    first = (
        ""
        if figures["initial_loss"] is None
        else f", first loss {figures['initial_loss']:.4f} (ln {size} = {math.log(size):.4f})"
    )
    return (
        f"{result.settings['names']}: {figures['names']:,} names; {size} tokens, the boundary included; "
        f"{figures['parameters']:,} parameters\n"
        f"{figures['steps']:,} of {result.settings['steps']:,} steps{each} in "
        f"{figures['training_seconds']:.1f} s{first}\n{_stopped(result, seeds)}"
    )


def _stopped(result: RunResult, seeds: int) -> str:
    """Return a line on the step that validation chose, if it chose one."""
    if not result.settings["early_stopping"]:
        return ""
    reason = result.figures["stopped_because"]
    early = f"Stopped early: {reason}. " if reason else ""
    step = (
        "of each seed's best step"
        if seeds > 1
        else f"of step {result.figures['step_of_weights']:,}"
    )
    return f"{early}Validation was best at the weights {step}, which were kept.\n"


def show(results: Mapping[int, RunResult], rows: Sequence[Row]) -> None:
    """Print the results: one network's tables, or the rows of several seeds."""
    first = next(iter(results.values()))
    print(heading(first, len(results)))
    if len(results) == 1:
        _show_one(first)
        return
    header = [f"over {len(results)} seeds", "mean", "std", "lowest", "highest"]
    print(Table(header, rows))
    if first.figures["measured_on_samples"]:
        print(f"\n{ON_SAMPLES}")
    judged = verdict.of(first.figures, first.settings)
    print(f"\nSeed {first.settings['seed']}\n{verdict_lines(judged)}")
    found = Counter(
        finding for result in results.values() for finding in result.figures["findings"]
    )
    if found:
        print()
    for finding, count in found.items():
        print(f"{finding.capitalize()}, in {count} of {len(results)}")


def _show_one(result: RunResult) -> None:
    figures = result.figures
    header = ["part", "names", "examples", "loss", "perplexity", "bigram +1", "Kneser-Ney"]
    print(Table(header, result.losses()))
    passed = figures["bigram_check_passed"]
    noise = figures["bigram_check_kl_reference"]
    limit = None if noise is None else MAX_KL + noise
    on_samples = f"{ON_SAMPLES}\n" if figures["measured_on_samples"] else ""
    agrees = "agrees with counting" if passed else "DOES NOT AGREE WITH COUNTING"
    print(
        "\nLoss in nats per character with running statistics; unseen: names that do not occur in "
        "the\ntraining part; bigram +1: the loss of counting letter pairs in the training part;\n"
        "Kneser-Ney: of counting contexts as long as the network's (blank where they are too many).\n"
        f"{on_samples}"
        "\nBigrams against the training part's table: KL "
        f"{_number(figures['bigram_check_kl'])} nats predicted, "
        f"{_number(figures['bigram_check_kl_sampled'])} in {CHECKED_SAMPLES:,} samples"
        f"\n(limits: {MAX_KL} predicted; "
        f"{_number(limit)} in samples, which allows for their noise): {agrees}."
        f"\nAgainst the validation part's table: KL {_number(figures['bigram_check_kl_val'])} nats "
        "predicted.\n"
    )
    print(aligned("\n".join(sample_lines(result.samples))))
    print(f"\n{verdict_lines(verdict.of(figures, result.settings))}")
    print(f"\n{health_lines(result.findings)}")


def status(results: Mapping[int, RunResult], interruption: Interruption) -> int:
    """Return the exit status, and say on standard error why it is not 0."""
    stopped = {
        seed: result.figures
        for seed, result in results.items()
        if result.figures["stopped_at_step"] is not None
    }
    for seed, figures in stopped.items():
        of_seed = f" of seed {seed}" if len(results) > 1 else ""
        print(
            f"the loss of step {figures['stopped_at_step']:,}{of_seed} is not "
            f"finite; the first non-finite numbers are in {figures['stopped_in']}; kept the state of step "
            f"{figures['steps']:,}; {REMEDY}",
            file=sys.stderr,
        )
    first = next(iter(results.values()))
    done, asked = first.figures["steps"], first.settings["steps"]
    if interruption and done < asked:
        print(
            f"stopped at step {done:,} of {asked:,}; the same command with "
            "--resume continues there",
            file=sys.stderr,
        )
    return 1 if stopped else interruption.status


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"

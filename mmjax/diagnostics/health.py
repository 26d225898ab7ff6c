"""Health: all checks of a run, as findings."""

from mmjax.diagnostics.checks import CHECKS
from mmjax.diagnostics.evidence import Evidence
from mmjax.diagnostics.finding import GRADES, Finding


def health(evidence: Evidence) -> list[Finding]:
    """Return all findings, the most serious grade first.

    Within a grade, a finding that names one cause comes before one that has several. An empty list
    means that no check failed. Figures that are not given are not checked.

    A fault means that training has failed. A warning means that its remedy is worth a try. A note
    is worth knowing, and a good network may have some.

    A layer counts as saturated if it is above the limit by more than two standard errors, so that
    another batch usually gives the same finding. A normalisation is advised only where the network
    has none.
    """
    found = [finding for check in CHECKS for finding in check(evidence)]
    return sorted(found, key=lambda finding: GRADES.index(finding.grade))

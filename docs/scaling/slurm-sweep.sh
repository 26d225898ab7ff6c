#!/bin/bash
# Four workers on one sweep, wherever Slurm has room: sbatch docs/scaling/slurm-sweep.sh
#SBATCH --job-name=mmjax-sweep
#SBATCH --array=1-4
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --output=mmjax-%A-%a.log
set -euo pipefail

# Needs pip install -e '.[optuna]'. The journal must be on a file system that all machines share. A worker that Slurm starts again
# takes new trials.
"${PYTHON:-.venv/bin/python}" -m experiments.sweep "${SPACE:-space.toml}" \
  --names "${LIST:-data/names.txt}" --journal "${JOURNAL:-study.log}"

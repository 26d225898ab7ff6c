#!/bin/bash
# One network on two processes, on one machine or two: sbatch docs/scaling/slurm-train.sh
#SBATCH --job-name=mmjax-train
#SBATCH --ntasks=2
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --output=mmjax-%j.log
set -euo pipefail

# LIST, OUT and STEPS may be set with sbatch --export=ALL,LIST=...,OUT=...,STEPS=...
out="${OUT:-runs/mlp}"
# A job that is started again continues its run.
resume=--overwrite
if [[ -d "$out/checkpoints" ]]; then resume=--resume; fi
srun --kill-on-bad-exit=1 "${PYTHON:-.venv/bin/python}" -m experiments.mlp --coordinator auto \
  --names "${LIST:-data/names.txt}" --steps "${STEPS:-20000}" --batch-size 4096 \
  --out "$out" "$resume"

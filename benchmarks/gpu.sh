#!/usr/bin/env bash
# All that a GPU changes, on this machine's GPU, in under ten minutes: limits of the card, inspection, a training step,
# fits beside the processor's, artefacts.     benchmarks/gpu.sh DATA [OUT]
# DATA: captures in the folder layout (train/good/*, test/*/*), some 40 to learn from. Results: OUT/*.json.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${1:?"benchmarks/gpu.sh DATA [OUT]: captures to learn from and to judge"}
out=${2:-benchmarks/results/gpu}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONPATH=src:.${PYTHONPATH:+:$PYTHONPATH} "${PYTHON:-python3}" -m benchmarks.gpu --data "$data" --out "$out" --work "$work"

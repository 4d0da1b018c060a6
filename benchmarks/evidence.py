"""The picture of docs/method.md: a capture with the evidence of each light, its mask, anomaly map and overlay.

    python benchmarks/evidence.py DATA/Confetto RUN 36 docs/images/joint.png

RUN as `afrd train DATA --category Confetto --out RUN` leaves it; 36 is a capture of the test split.
"""

import sys
from pathlib import Path

from afrd import Inspector, open_dataset
from afrd.evaluation.visual import contact_sheet, write_picture

if __name__ == "__main__":
    data, run, capture, out = sys.argv[1:]
    captures = open_dataset(data, split="test")
    shown = captures[[record.id for record in captures.records].index(capture)]
    write_picture(Path(out), contact_sheet(shown, Inspector.load(run).inspect_capture(shown)))

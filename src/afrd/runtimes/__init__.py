"""What computes: a run folder with torch, or an exported artefact with the runtime it was made for.

A runtime takes arrays and gives arrays. None is imported before it is needed, and torch only for a run folder and a
`.pt2`. Knows no files but the model's, and no verdicts.
"""

from afrd.runtimes.artefact import SUFFIXES, Answer, ArtefactCard, Input, Precision, Runtime, Target
from afrd.runtimes.opening import open_runtime

__all__ = ["SUFFIXES", "Answer", "ArtefactCard", "Input", "Precision", "Runtime", "Target", "open_runtime"]

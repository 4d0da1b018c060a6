"""How good the verdicts are: metrics, evaluation of a split, pictures and the report."""

from afrd.evaluation.evaluate import evaluate
from afrd.evaluation.report import write_report
from afrd.evaluation.result import Evaluation
from afrd.evaluation.summary import print_evaluation

__all__ = ["Evaluation", "evaluate", "print_evaluation", "write_report"]

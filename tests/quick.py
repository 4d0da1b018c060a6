"""Settings under which the default model is fitted in a moment: for tests that ask whether and how, not how well."""

QUICK = {"painting": {"pairs": 4, "captures": 4}, "disturbing": {"captures": 2, "copies": 0}, "folds": 0}
QUICK_OPTIONS = (
    *("--painting-pairs", 4, "--painting-captures", 4),
    *("--disturbing-captures", 2, "--disturbing-copies", 0),
    *("--folds", 0),
)

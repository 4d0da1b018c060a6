"""What the headers of a capture's files show, before any of them is decoded."""

from pathlib import Path

from afrd.datasets.images import Header, read_header
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record


def header_problems(record: Record) -> list[Problem]:
    """What the headers of a capture's files show: no image, another size or depth than the capture's other lights."""
    problems: list[Problem] = []

    def header(path: Path) -> Header | None:
        try:
            return read_header(path)
        except ProblemError as error:
            problems.append(error.problem)
            return None

    images = {path: found for path in record.read if (found := header(path))}
    if not images:
        return problems
    first, expected = next(iter(images.items()))
    for path, found in images.items():
        if (found.height, found.width) != (expected.height, expected.width):
            what = f"{_size(found)}, but {first.name} of the same capture is {_size(expected)}"
            fix = "all lights of a capture have one size: take it again or crop them alike"
            problems.append(Problem(path, what, fix))
        if found.orientation != expected.orientation:
            what = (
                f"orientation tag {found.orientation}, but {first.name} of the same capture has {expected.orientation}"
            )
            problems.append(Problem(path, what, "turn the pixels themselves and remove the tags"))
        if found.depth != expected.depth:
            what = f"{found.depth}-bit, but {first.name} of the same capture is {expected.depth}-bit"
            problems.append(Problem(path, what, "save all lights of a capture with one depth"))
    for path in record.files[len(record.images) :]:
        found = header(path)
        if found and (found.height, found.width) != (expected.height, expected.width):
            what = f"mask of {_size(found)}, but its images are {_size(expected)}"
            problems.append(Problem(path, what, "draw it on the image at its own size"))
        if found and found.format == "JPEG":
            problems.append(Problem(path, "a JPEG mask, whose edges are blurred", "draw it again and save it as PNG"))
    return problems


def _size(header: Header) -> str:
    return f"{header.width}×{header.height}"

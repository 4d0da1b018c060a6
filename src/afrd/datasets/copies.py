"""Captures that are there twice: another name, the same files."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from afrd.datasets.capture_set import CaptureSet, content_digest
from afrd.datasets.problems import Problem
from afrd.datasets.record import Record
from afrd.errors import DatasetError

FIX = "keep one of them: a part is one part however often it is there"


def copies(records: Sequence[Record]) -> list[tuple[int, int]]:
    """Pairs (a later capture, the first one of the same images, byte by byte), by their places in `records`.

    Sizes are compared first, so that hardly a file is read where no two pictures take as many bytes. Files that cannot
    be read are copies of none, and so are captures that are said to be of one part.
    """
    groups = [list(range(len(records)))]
    looks: tuple[Callable[[Record], Hashable], ...] = (_sizes, _first_digest, _digests)
    with ThreadPoolExecutor() as pool:
        for look in looks:
            alike: list[list[int]] = []
            for group in groups:
                of_look = defaultdict(list)
                for i, found in zip(group, pool.map(look, [records[i] for i in group]), strict=True):
                    of_look[found].append(i)
                alike += [members for found, members in of_look.items() if found is not None and len(members) > 1]
            groups = alike
    pairs = sorted((later, first) for first, *others in groups for later in others)
    return [(i, k) for i, k in pairs if records[i].group is None or records[i].group != records[k].group]


def copy_problems(records: Sequence[Record]) -> list[Problem]:
    """A problem per capture that is a copy of another one."""
    return [
        Problem(records[later].images[0], f"the same picture as {records[first].images[0]}", FIX)
        for later, first in copies(records)
    ]


def with_copies_as_one_part(captures: CaptureSet, pairs: Iterable[tuple[int, int]]) -> CaptureSet:
    """pairs: of `copies`. All captures of two parts that share a picture are of one part."""
    groups = captures.groups
    for later, first in pairs:
        groups = [groups[first] if group == groups[later] else group for group in groups]
    records = [
        record if group == own else replace(record, group=group)
        for record, group, own in zip(captures.records, groups, captures.groups, strict=True)
    ]
    found = CaptureSet(captures.root, captures.category, captures.split, captures.lights, records, captures.options)
    found = found.read_as(captures.imaging)
    found.squares = captures.squares
    return found


def _sizes(record: Record) -> Hashable:
    try:
        return tuple(path.stat().st_size for path in record.images) or None
    except OSError:
        return None


def _first_digest(record: Record) -> Hashable:
    try:
        return content_digest(record.images[0])
    except DatasetError:
        return None


def _digests(record: Record) -> Hashable:
    try:
        return tuple(map(content_digest, record.images))
    except DatasetError:
        return None

"""Small YAML files with errors that name the line. Knows no schema."""

from pathlib import Path
from typing import Any

import yaml

from afrd.datasets.problems import ProblemError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where it is: a tenth of the time
_DEEPEST = 100  # lists and mappings within each other; libyaml's loader has no limit, and ends the process by it


class YamlFile:
    """A YAML file, parsed; the values as plain Python in `.value`.

    Raises ProblemError where the file cannot be read or parsed, or a mapping has a key twice, of which YAML would take
    the last; `fix` says what it should hold.
    """

    def __init__(self, path: Path, fix: str) -> None:
        self.path, self.fix = path, fix
        try:
            text = path.read_text(encoding="utf-8")
            self._require_shallow(text)
            self._tree = yaml.compose(text, Loader=_LOADER)
            self._require_keys_once()
            self.value: Any = yaml.load(text, Loader=_LOADER)
        except OSError as error:
            raise ProblemError(path, f"cannot be read ({error.strerror})", fix) from error
        except UnicodeDecodeError as error:
            raise ProblemError(path, f"is not UTF-8 text (byte {error.start})", fix) from error
        except ValueError as error:  # from a scalar that looks like a date and is none
            raise ProblemError(path, str(error), fix) from error
        except yaml.YAMLError as error:
            error = _better_placed(text, error)
            mark = getattr(error, "problem_mark", None)
            line = f"line {mark.line + 1}: " if mark else ""
            raise ProblemError(path, f"{line}{getattr(error, 'problem', None) or error}", fix) from error

    def _require_shallow(self, text: str) -> None:
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                what = f"line {event.start_mark.line + 1}: more than {_DEEPEST} lists and mappings within each other"
                raise ProblemError(self.path, what, self.fix)

    def _require_keys_once(self) -> None:
        waiting, seen = [self._tree], set()
        while waiting:
            node = waiting.pop()
            if node is None or id(node) in seen:  # an empty file, or an alias of what was looked at
                continue
            seen.add(id(node))
            if isinstance(node, yaml.SequenceNode):
                waiting += reversed(node.value)
            if not isinstance(node, yaml.MappingNode):
                continue
            lines: dict[tuple[str, str], int] = {}
            for key, _ in node.value:
                name, line = (key.tag, str(key.value)), key.start_mark.line + 1
                if name in lines:
                    what = f"line {line}: {key.value} was given in line {lines[name]} already; expected once"
                    raise ProblemError(self.path, what, "keep one of the two")
                lines[name] = line
            waiting += [value for _, value in reversed(node.value)]

    def line(self, *keys: str | int) -> int:
        """The line, counted from 1, of the value at `keys`, or of the last of them that exists."""
        node = self._tree
        for key in keys:
            if isinstance(node, yaml.MappingNode):
                found = [value for name, value in node.value if name.value == key]
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                found = [node.value[key]]
            else:
                found = []
            if not found:
                break
            node = found[0]
        return node.start_mark.line + 1 if node else 1

    def error(self, what: str, *keys: str | int) -> ProblemError:
        """An error to raise about the value at `keys`."""
        return ProblemError(self.path, f"line {self.line(*keys)}: {what}", self.fix)


def _better_placed(text: str, error: yaml.YAMLError) -> yaml.YAMLError:
    """The same of PyYAML's own parser: libyaml puts what is not closed behind the last line."""
    try:
        yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as own:
        return own
    return error

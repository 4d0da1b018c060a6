"""C# on Debian: the managed half of ONNX Runtime from its sources, and programs on it, compiled and run by Mono.

Neither Debian nor the Python wheel has that half. The sources come with the npm package of ONNX Runtime for Unity:

    apt-get install mono-mcs mono-runtime libmono-system-runtime-serialization4.0-cil libmono-system-xml-linq4.0-cil
    npm pack com.github.asus4.onnxruntime@0.4.9 && tar xzf com.github.asus4.onnxruntime-0.4.9.tgz package/Runtime
    AFRD_ONNXRUNTIME_CSHARP=package/Runtime pytest tests/export/test_other_languages.py
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

SOURCES = os.environ.get("AFRD_ONNXRUNTIME_CSHARP")
_REFERENCES = ("System.Runtime.Serialization", "System.Xml", "System.Xml.Linq")
_OLDER = (  # what the sources say in newer C# than Mono's compiler knows → the same in older
    (r"\(static (\w+) =>", r"(\1 =>"),
    (r"^(\s*)using var ", r"\1var "),  # given back by finalizers
    (r"^(\s*)(\S+) (\w+) = new\(", r"\1\2 \3 = new \2("),
    (r"\bunmanaged\b", "struct"),
    (r"\((\S+) is not (\w+)\)", r"(!(\1 is \2))"),
    (r"^(\s*)(\S+)\.Span\[(\w+)\] = (.*);", r"\1{ var span = \2.Span; span[\3] = \4; }"),
    (r"^(\s*)\S+ (\w+) = [^;\n]*\? stackalloc int\[\w+\] : ", r"\1Span<int> \2 = "),
    (r"= stackalloc ", "= new "),
    (r"^(\s*)(\w+\[\w\]) = (\w+\[\w\]) = (.*);", r"\1\3 = \4; \2 = \3;"),
)


def missing() -> str | None:
    """Why no C# is compiled here; None where it is."""
    if shutil.which("mcs") is None or shutil.which("mono") is None:
        return "no Mono on this machine"
    return None if SOURCES else "AFRD_ONNXRUNTIME_CSHARP does not name ONNX Runtime's C# sources (tests/csharp.py)"


def build(program: Path, folder: Path, library: Path) -> dict[str, str]:
    """`program` as folder/<its name>.exe. library: libonnxruntime. Returns the environment it runs in."""
    root = Path(SOURCES)
    for source in root.rglob("*.cs"):
        text = source.read_text("utf-8-sig")
        for newer, older in _OLDER:
            text = re.sub(newer, older, text, flags=re.MULTILINE)
        copy = folder / "sources" / source.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    sources = [str(path) for path in (folder / "sources").rglob("*.cs")]
    managed = folder / "Microsoft.ML.OnnxRuntime.dll"
    what = ["-target:library", "-unsafe", "-langversion:experimental", "-define:NETSTANDARD2_0"]
    _compile(*what, f"-out:{managed}", *sources)
    references = [f"-reference:{name}" for name in (managed, *_REFERENCES)]
    _compile("-langversion:7.2", "-warnaserror", *references, f"-out:{folder / program.stem}.exe", str(program))
    (folder / "libonnxruntime.so").symlink_to(library)
    return {**os.environ, "LD_LIBRARY_PATH": str(folder)}


def _compile(*arguments: str) -> None:
    done = subprocess.run(["mcs", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

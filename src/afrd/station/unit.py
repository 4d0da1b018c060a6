"""A systemd unit for one station. It may write to its data folder and nowhere else."""

import getpass
import shlex
import sys
from pathlib import Path

from afrd.station.config import load_station

_UNIT = """\
[Unit]
Description=afrd station {name}
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={command}
User={user}
Restart=always
RestartSec=1
TimeoutStopSec=60
# secrets of sinks: NAME=value, one a line, readable by root alone
EnvironmentFile=-/etc/afrd/{name}.env
UMask=0027
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ReadWritePaths={data}

[Install]
WantedBy=multi-user.target
"""


def unit(station: Path, data: Path | None, host: str, port: int) -> str:
    """The file's text. The data folder is made: systemd binds only what exists. Raises what `load_station` does."""
    config = load_station(station.resolve())
    folder = (data or config.data).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--data", str(folder), "--host", host, "--port", str(port)]
    command = shlex.join([sys.executable, "-m", "afrd", "serve", str(station.resolve()), *options])
    return _UNIT.format(
        name=config.station, command=_escaped(command), user=getpass.getuser(), data=_escaped(shlex.quote(str(folder)))
    )


def _escaped(text: str) -> str:
    """Without systemd's specifiers and variables."""
    return text.replace("%", "%%").replace("$", "$$")

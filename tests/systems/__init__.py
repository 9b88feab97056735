"""Real systems on 127.0.0.1, started by a test and stopped when it leaves them: one file each."""

import sys
from pathlib import Path

_STACK = str(Path(__file__).resolve().parents[2] / "deploy/dev")
if _STACK not in sys.path:
    sys.path.insert(0, _STACK)

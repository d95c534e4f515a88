"""The flow on Ray: the only package that imports it. One module a job."""

import os
import secrets
import sys

# Ray reads these when it is imported, so they are set before any module here can do that.
# Whoever has set them already, or runs a cluster of his own (RAY_ADDRESS), has the last word.
os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
# Ray's C++ core tells the driver's terminal of actor arguments in the object store, which Ray Data
# itself puts there. Its errors reach Python as exceptions all the same.
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
if not os.environ.get("RAY_ADDRESS"):
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        # A cluster of our own, for this process alone: its own token, and none left at home. (Where
        # Ray was imported before, it has read its settings: its servers would get this token, and
        # be called without one. It does as it does for everybody then, with a token at home.)
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)

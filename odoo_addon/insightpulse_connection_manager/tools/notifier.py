"""Tells the sidecar what has changed, in a thread of its own: nobody waits for that, and no worker."""

import logging
import threading

_logger = logging.getLogger(__name__)

# More than these are told as "everything".
IDS_MAX = 500


class Notifier:
    """Sends what several transactions have changed together, while an earlier message is on its way."""

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting = {}
        self._is_running = False

    def tell(self, key, send, ids, everything):
        """Have ``send(ids, everything)`` called soon; `key` says whose changes may go together."""
        with self._lock:
            _send, known, known_everything = self._waiting.get(key, (None, frozenset(), False))
            ids = known | frozenset(ids)
            everything = everything or known_everything or len(ids) > IDS_MAX
            self._waiting[key] = (send, frozenset() if everything else ids, everything)
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="insightpulse.notifier", daemon=True).start()

    def _run(self):
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                _key, (send, ids, everything) = self._waiting.popitem()
            try:
                send(sorted(ids), everything)
            except Exception as error:
                # The sidecar looks at everything from time to time: a message that is lost costs a minute.
                _logger.info("The sidecar was not told what has changed: %s", type(error).__name__)


NOTIFIER = Notifier()

"""Makes the process that imports it ignore Ctrl-C, as the server of `worker_processes` does before its other imports.

A terminal sends Ctrl-C to all processes. The server would print a traceback; the batch ends it instead.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)

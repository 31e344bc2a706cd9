"""The engine of ``hsi-geo serve``: JSON-RPC requests of other programs, answered by live sessions."""

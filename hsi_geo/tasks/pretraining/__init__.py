"""Self-supervised pre-training: batches, and a run with Lightning."""

from hsi_geo.extras import require_extra

require_extra("pretrain", "pre-training runs")  # before its modules import them

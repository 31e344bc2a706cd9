"""``python -m hsi_geo`` is ``hsi-geo``."""

from hsi_geo.cli.start import run

if __name__ == "__main__":
    run()

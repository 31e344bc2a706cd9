"""``python -m hsi_geo`` is ``hsi-geo``."""

from hsi_geo.cli.main import main

if __name__ == "__main__":
    main()

"""Class maps: writer, reader, record, areas, mosaics and STAC items."""

"""Many tiles: jobs, footprints, the cluster, what the maps give together."""

"""The package's trackers as clients of the official toolkits: VOT through TraX, and got10k."""

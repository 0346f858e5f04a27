"""A results folder as plots, tables and one HTML page that compares trackers."""

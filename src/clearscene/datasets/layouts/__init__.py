"""Loaders of published data sets, one file a layout."""

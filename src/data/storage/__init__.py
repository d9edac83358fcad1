"""Bytes on disk: folders and archives read in place, decoding, and the cache of decoded samples."""

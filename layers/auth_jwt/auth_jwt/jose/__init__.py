"""Unverified text in, verified signature out. Knows tokens and keys, and neither rows nor settings."""

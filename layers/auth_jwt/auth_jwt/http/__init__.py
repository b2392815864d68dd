"""HTTP as text, whoever carries it."""

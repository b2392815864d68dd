"""HTTP as text, independent of what carries it."""

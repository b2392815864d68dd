"""What a function needs around the decision: its settings, its log and metrics, its snapshot, and the wiring."""

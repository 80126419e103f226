"""Who may ask, and about whom."""

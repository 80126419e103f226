"""What the service says of itself: every metric, every log event, and the one place where ids become hashes."""

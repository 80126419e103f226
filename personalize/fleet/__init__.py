"""What replicas share through Redis, and how each part does without it."""

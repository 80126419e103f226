"""Sources of items (posts, products): polled in the background, then answered from memory."""

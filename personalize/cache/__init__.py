"""What is known of profiles between page loads: dumb stores, and the one place with the policy."""

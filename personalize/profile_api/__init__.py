"""The Segment side: reading the Profile API."""

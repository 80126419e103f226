"""What the warehouse knows, brought into profiles: Segment's Profiles destination, run from here.

Rows of a source become events, a mapping makes a payload of an event, an action a Tracking call of a payload. The words
are Segment's own, the behaviour that of its open-source destination, as far as `tests/data/destination` tells of it.
"""

"""The HTTP face. HTTP types stop here."""

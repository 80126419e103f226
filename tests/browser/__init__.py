"""Tests of pages in a real browser: a package, for they share one."""

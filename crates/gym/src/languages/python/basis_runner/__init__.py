"""The shipped test runner. Lives outside the tree that it tests and needs only the standard library."""

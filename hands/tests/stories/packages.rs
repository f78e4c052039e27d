//! Security updates by a real apt from a repository of the test's own, into a root of its own.

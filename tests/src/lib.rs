//! End-to-end tests of Beaufort live in `tests/tests`.

//! The terminal rendering.

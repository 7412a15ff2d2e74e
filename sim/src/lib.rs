//! The world: what happens, deterministically, for one seed.

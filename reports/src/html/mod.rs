//! The page: one file that a browser opens, with nothing to fetch.

pub mod explorer;

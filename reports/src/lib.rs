//! The results document and its renderings.

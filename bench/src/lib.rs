//! The reference relay on this kernel and on its peers, measured in one run.

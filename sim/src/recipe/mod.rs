//! The step language in which the user's own apps are written, its interpreter, and its hosts.

//! Accounts in several regions: what is refused, whatever happens in whatever order, and a world.

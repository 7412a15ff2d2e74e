//! Guests on the bench and in small worlds.

//! Layers to routes: which way a mail came, how long each leg took, and who is to be believed.
//!
//! A `Received` field is the word of the server named in its `by`. [`received`] takes out what
//! one field says; everything else of this room judges what the fields say together.

pub mod received;

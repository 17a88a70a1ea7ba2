//! Bytes to layers: what a user hands over is a stack, a mail, in which a forward, in which a
//! bounce, in which the original. This room knows MIME, charsets, boxes and forwards; it knows
//! nothing of bounces. It is the only one that knows mail-parser.

pub mod dates;
pub mod layer;
pub mod status;

//! Bytes to layers: what a user hands over is a stack, a mail, in which a forward, in which a
//! bounce, in which the original. This room knows MIME, charsets, boxes and forwards; it knows
//! nothing of bounces. It is the only one that knows mail-parser.

pub mod addresses;
pub mod dates;
mod decode;
pub mod fields;
mod head;
pub mod html;
pub mod inner;
pub mod layer;
pub mod lines;
mod media;
mod mime;
mod open;
mod place;
pub mod source;
pub mod status;

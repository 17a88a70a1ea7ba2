//! What every command needs that goes to the network.

use tokio::runtime::{Builder, Runtime};

/// What drives the connections; the error is a sentence.
pub(super) fn runtime() -> Result<Runtime, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| no_network(&error))
}

pub(super) fn no_network(error: &std::io::Error) -> String {
    let why = crate::words::reason(error);
    format!("no network can be used: {why}")
}

/// The name to greet with: as given with `--helo`, else this machine's own, when it has one.
pub(super) fn helo(given: Option<&String>) -> Result<Option<String>, String> {
    match given {
        Some(name) if name.is_empty() || name.contains(|c: char| c.is_control() || c == ' ') => {
            Err(format!(
                "--helo: \"{name}\" is no name; give a host name such as mail.example.net"
            ))
        }
        Some(name) => Ok(Some(name.clone())),
        None => Ok(own_name()),
    }
}

/// The full name of this machine, when it has one that others could know.
fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    let is_full = |name: &str| {
        let top = name.rsplit('.').next().unwrap_or("");
        name.contains('.') && !matches!(top, "localdomain" | "local" | "lan" | "home" | "internal")
    };
    if is_full(name) {
        return Some(name.to_string());
    }
    // As `hostname -f` does: the hosts file may know the full name.
    let hosts = std::fs::read_to_string("/etc/hosts").ok()?;
    let mut lines = hosts.lines().map(|l| l.split('#').next().unwrap_or(""));
    let names = lines.find_map(|line| {
        let names: Vec<_> = line.split_whitespace().skip(1).collect();
        names.contains(&name).then_some(names)
    })?;
    names.into_iter().find(|n| is_full(n)).map(str::to_string)
}

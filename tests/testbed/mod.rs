//! The testbed of real mail servers that lies beside this project.
#![allow(dead_code, reason = "each test crate uses its own part")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A testbed that is up, and goes down with this when we brought it up.
pub(crate) struct Bed {
    pub(crate) base: u16,
    pub(crate) state: PathBuf,
    ours: Option<tempfile::TempDir>,
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.ours.is_some() {
            let down = shared().join("testbed/smtp/down");
            Command::new(down).arg(&self.state).status().ok();
        }
    }
}

pub(crate) fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")
}

pub(crate) fn bed() -> Result<Bed, String> {
    if !shared().join("testbed/smtp/up").exists() {
        return Err("../shared/testbed is not there".to_string());
    }
    if let Ok(base) = std::env::var("MAILTRACE_TESTBED") {
        let (base, state) = base.split_once(':').unwrap_or((&base, "/tmp/smtp-testbed"));
        return Ok(Bed {
            base: base.parse().map_err(|_| "MAILTRACE_TESTBED is no port")?,
            state: PathBuf::from(state),
            ours: None,
        });
    }
    let debs = std::env::var("TB_DEBS").map_err(|_| {
        "Postfix and Exim are not there: run .ci/testbed and set TB_DEBS, or MAILTRACE_TESTBED=PORT:DIR"
    })?;
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    // Away from the ports of a testbed that somebody brought up by hand.
    // The tests of a file run side by side: each has a testbed of its own.
    static BROUGHT_UP: AtomicU32 = AtomicU32::new(0);
    let turn = BROUGHT_UP.fetch_add(1, Ordering::Relaxed) * 17;
    let place = (std::process::id() + turn) % 64;
    let base = 22_000 + u16::try_from(place).unwrap_or(0) * 100;
    let up = Command::new(shared().join("testbed/smtp/up"))
        .arg(base.to_string())
        .arg(folder.path())
        .env("TB_DEBS", debs)
        .output()
        .map_err(|e| e.to_string())?;
    if !up.status.success() {
        return Err(String::from_utf8_lossy(&up.stderr).into_owned());
    }
    Ok(Bed {
        base,
        state: folder.path().to_path_buf(),
        ours: Some(folder),
    })
}

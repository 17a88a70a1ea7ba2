//! The page of `route --html` in a real browser: headless Chromium, without a network. Skips, and
//! says so, where there is none.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::mailtrace;
use serde_json::Value;

/// The names under which distributions have it.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// A mail that tries to get into the page by every field that the page shows.
const EVIL: &str = "Received: from <script>document.title='in'</script> (\"><img/src=x/onerror=document.title='in'> [203.0.113.7])\n\
    \tby mx.example.org (Postfix) with ESMTP id 2; Mon, 2 Mar 2026 09:15:31 +0000\n\
    From: \"</table><style>body{display:none}</style>\" <a@b.example>\n\
    Subject: <iframe src=\"file:///etc/passwd\"></iframe><a href=\"javascript:document.title='in'\">x</a>\n\
    Authentication-Results: mx.example.org; spf=<svg/onload=document.title='in'>\n\n";

fn browser() -> Option<&'static str> {
    let found = BROWSERS.into_iter().find(|name| {
        let tried = Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        eprintln!("skipped: no Chromium here (apt-get install chromium)");
    }
    found
}

/// Runs the browser in a profile of its own, without a network.
fn run(browser: &str, profile: &Path, args: &[&str]) -> Output {
    Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(args)
        .output()
        .unwrap()
}

/// A page around the page, which looks into it: at two widths, and what becomes of a script, a
/// style and a picture that somebody puts into it.
const PROBE: &str = r#"<!DOCTYPE html><title>probe</title><body><script>
const seen = [];
function look(width) { return new Promise(done => {
  const frame = document.createElement('iframe');
  frame.width = width; frame.height = 900; frame.src = 'page.html';
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement, view = frame.contentWindow;
    const style = view.getComputedStyle(page.body);
    const result = { width, scroll: root.scrollWidth, client: root.clientWidth,
      title: page.title, background: style.backgroundColor, color: style.color, display: style.display,
      bars: page.querySelectorAll('svg .rail').length, rows: page.querySelectorAll('.hops tr').length,
      scripts: page.scripts.length, frames: page.querySelectorAll('iframe, img, link, object').length,
      drawn: [...page.querySelectorAll('svg rect')].every(r => r.getBoundingClientRect().width > 0) };
    page.addEventListener('securitypolicyviolation', e => (result.blocked ??= []).push(e.effectiveDirective));
    const script = page.createElement('script'); script.textContent = "parent.in = true"; page.body.append(script);
    const sheet = page.createElement('style'); sheet.textContent = "body { display: none }"; page.head.append(sheet);
    const image = page.createElement('img'); image.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='; page.body.append(image);
    setTimeout(() => { result.in = window.in === true;
      result.display = view.getComputedStyle(page.body).display; seen.push(result); done(); }, 50);
  };
  document.body.append(frame);
}); }
look(400).then(() => look(1200)).then(() => {
  const out = document.createElement('pre'); out.id = 'result'; out.textContent = JSON.stringify(seen);
  document.body.replaceChildren(out);
});
</script>"#;

/// What the probe saw at each width, and what the browser wrote to its log.
fn probe(browser: &str, folder: &Path, more: &[&str]) -> (Vec<Value>, String) {
    let url = format!("file://{}", folder.join("probe.html").display());
    let mut args = vec![
        "--allow-file-access-from-files",
        "--disable-web-security",
        "--virtual-time-budget=5000",
        "--dump-dom",
    ];
    args.extend(more);
    args.push(&url);
    let output = run(browser, &folder.join("profile"), &args);
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = dom
        .split_once("<pre id=\"result\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .unwrap_or_else(|| panic!("no result: {dom}\n{log}"))
        .0;
    let seen: Value = serde_json::from_str(json).unwrap();
    (seen.as_array().unwrap().clone(), log)
}

fn page(folder: &Path, mails: &[&str]) {
    let file = folder.join("page.html");
    let mut args = vec!["route", "--html", file.to_str().unwrap()];
    args.extend(mails);
    mailtrace(args).run();
    fs::write(folder.join("probe.html"), PROBE).unwrap();
}

#[test]
fn the_page_is_whole_in_a_browser_at_any_width_in_light_and_dark_and_on_paper() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mails = ["testdata/route/forged.eml", "testdata/route/loop.eml"];
    page(folder, &mails);
    let mut grounds = Vec::new();
    for scheme in ["1", "0"] {
        let setting = format!("--blink-settings=preferredColorScheme={scheme}");
        let (seen, log) = probe(browser, folder, &[&setting]);
        for one in &seen {
            assert!(
                one["scroll"].as_u64() <= one["client"].as_u64(),
                "the page scrolls sideways: {one}"
            );
            // 3 and 5 hops, and a heading over each table.
            assert_eq!(
                (one["bars"].as_u64(), one["rows"].as_u64()),
                (Some(8), Some(10))
            );
            assert_eq!(one["drawn"], true, "{one}");
            assert_eq!(one["scripts"], 0);
            // Whatever is brought in later is refused: script, style, picture.
            assert_eq!(one["in"], false);
            assert_eq!(one["display"], "block");
            let mut blocked: Vec<&str> = one["blocked"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            blocked.sort_unstable();
            assert_eq!(blocked, ["img-src", "script-src-elem", "style-src-elem"]);
        }
        grounds.push((seen[1]["background"].clone(), seen[1]["color"].clone()));
        // Only what the probe itself brought in is complained about: three things at two widths.
        let complaints = log.lines().filter(|l| l.contains("CONSOLE")).count();
        assert!(complaints <= 6, "{log}");
    }
    assert_eq!(grounds[0].0, "rgb(255, 255, 255)");
    assert_eq!(grounds[1].0, "rgb(13, 17, 23)");
    assert_ne!(grounds[0].1, grounds[1].1);

    let pdf = folder.join("page.pdf");
    let url = format!("file://{}", folder.join("page.html").display());
    let target = format!("--print-to-pdf={}", pdf.display());
    let output = run(
        browser,
        &folder.join("profile"),
        &[&target, "--no-pdf-header-footer", &url],
    );
    let pdf =
        fs::read(&pdf).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert!(
        pdf.starts_with(b"%PDF") && pdf.len() > 10_000,
        "{}",
        pdf.len()
    );
}

#[test]
fn nothing_in_a_mail_gets_into_the_page() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mail = folder.join("evil.eml");
    fs::write(&mail, EVIL).unwrap();
    page(folder, &[mail.to_str().unwrap()]);
    let (seen, log) = probe(browser, folder, &[]);
    for one in &seen {
        assert_eq!(one["title"], "The way of a message - mailtrace");
        assert_eq!(
            (one["scripts"].as_u64(), one["frames"].as_u64()),
            (Some(0), Some(0))
        );
        assert!(one["scroll"].as_u64() <= one["client"].as_u64(), "{one}");
        assert_eq!(one["display"], "block");
    }
    let complaints = log.lines().filter(|l| l.contains("CONSOLE")).count();
    assert!(complaints <= 6, "{log}");
}

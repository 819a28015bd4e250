//! `polder report`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::Ended;
use super::args::{Open, ReportArgs};
use super::output::{print, tell};

pub(super) fn run(arguments: &ReportArgs) -> Result<Ended> {
    let page = place(arguments)?;
    polder::report::write_to(&arguments.runs, &page)?;
    print(page.display())?;
    let wanted = match arguments.open {
        Open::Yes => true,
        Open::No => false,
        Open::Auto => std::io::stdout().is_terminal() && has_screen(),
    };
    if wanted && let Err(error) = show(&page) {
        tell(false, format!("note: no browser could be started: {error}"));
    }
    Ok(Ended::Well)
}

fn place(arguments: &ReportArgs) -> Result<PathBuf> {
    match (&arguments.out, arguments.runs.as_slice()) {
        (Some(out), _) => Ok(out.clone()),
        (None, [run]) => Ok(run.join("report.html")),
        (None, _) => bail!("several runs need a page of their own\nhint: name it with `--out FILE.html`"),
    }
}

/// Whether this process can reach a screen.
fn has_screen() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(target_os = "macos", windows)) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Asks the system to show a page; does not wait for it.
fn show(page: &Path) -> std::io::Result<()> {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    // An option can't begin an absolute path.
    let page = page.canonicalize()?;
    Command::new(program).arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(())
}

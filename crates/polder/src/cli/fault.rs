//! Errors for people: `error:` and `hint:` lines, never a backtrace.

use std::process::ExitCode;

use polder::Error;
use polder::device::{Failure, failure_of};

/// Prints an error; a reader that went away is none.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    eprintln!("{}", text(error));
    ExitCode::FAILURE
}

fn text(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Most errors say their cause themselves.
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    // A hint stands last, wherever in the chain it came from.
    let (hints, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("hint: "));
    let mut lines = vec![format!("error: {}", rest.join("\n"))];
    lines.extend(hints.into_iter().map(str::to_owned));
    if let Some(Error::Config(config)) = error.downcast_ref::<Error>() {
        lines.extend(config.hint().map(|hint| format!("hint: {hint}")));
    }
    let hinted = lines.iter().any(|line| line.starts_with("hint: "));
    if !hinted && failure_of(&text) == Some(Failure::OutOfMemory) {
        lines.push(
            "hint: fewer examples a pass (`--batch`), weights in bf16 (`--dtype bf16`), or `--device cpu`".to_owned(),
        );
    }
    lines.join("\n")
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_stand_last_and_causes_once() {
        let error = anyhow::anyhow!("no model\nhint: look elsewhere").context("can't start");
        assert_eq!(text(&error), "error: can't start: no model\nhint: look elsewhere");
        let full = anyhow::anyhow!("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")").context("a pass failed");
        let said = text(&full);
        assert!(
            said.starts_with("error: a pass failed: DriverError(") && said.ends_with("or `--device cpu`"),
            "{said}"
        );
        let io = std::io::Error::new(std::io::ErrorKind::NotFound, "gone");
        let error = anyhow::Error::from(Error::Io { action: "read", path: "x".into(), source: io });
        assert_eq!(text(&error), "error: cannot read `x`: gone");
    }
}

//! `polder replay`.

use anyhow::Result;

use super::Ended;
use super::args::ReplayArgs;
use super::output::{print, tell};
use super::progress::Counter;

pub(super) fn run(arguments: &ReplayArgs) -> Result<Ended> {
    let mut bar = Counter::new("replaying", "steps", arguments.quiet);
    let base = arguments.base.as_ref().map(|base| polder::model::find(base)).transpose()?;
    if let Some(note) = base.as_ref().and_then(|b| b.note.as_ref()) {
        tell(arguments.quiet, format!("note: {note}"));
    }
    let base = base.map(|b| b.path);
    let rebuilt = polder::replay::rebuild(&arguments.source, base.as_deref(), &arguments.out, &mut |step, total| {
        bar.at(step, total);
    })?;
    bar.clear();
    if let Some(note) = rebuilt.note() {
        tell(arguments.quiet, format!("note: {note}"));
    }
    let done = rebuilt.replayed;
    let hash = match done.verified {
        Some(digest) => format!("the weights' hash is that of the run's end, {digest}"),
        None => "the run did not end at its last step, so there is no hash to compare with".to_owned(),
    };
    if !arguments.quiet {
        print(format!("{} steps replayed into {}; {hash}", done.steps, arguments.out.display()))?;
    }
    Ok(Ended::Well)
}

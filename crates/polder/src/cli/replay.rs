//! `polder replay`.

use anyhow::Result;

use super::Ended;
use super::args::ReplayArgs;
use super::output::{print, tell};
use super::progress::Counter;
use super::transfer::Transfer;

pub(super) fn run(arguments: &ReplayArgs) -> Result<Ended> {
    let mut transfer = Transfer::new(arguments.quiet);
    let source = match polder::hub::address(&arguments.source) {
        Some(address) => {
            let fetched = polder::hub::trajectory(address, &mut |p| transfer.at(p))?;
            if let Some(note) = &fetched.note {
                tell(arguments.quiet, format!("note: {note}"));
            }
            fetched.path
        }
        None => arguments.source.clone(),
    };
    let given = arguments.base.as_deref();
    let base = given.map(|base| polder::model::find_with(base, None, &mut |p| transfer.at(p))).transpose()?;
    if let Some(note) = base.as_ref().and_then(|b| b.note.as_ref()) {
        tell(arguments.quiet, format!("note: {note}"));
    }
    let base = base.map(|b| b.path);
    polder::replay::fetch_base(&source, base.as_deref(), &mut |p| transfer.at(p))?;
    transfer.clear();
    let mut bar = Counter::new("replaying", "steps", arguments.quiet);
    let (base, out) = (base.as_deref(), &arguments.out);
    let rebuilt = polder::replay::rebuild(&source, base, out, arguments.steps, &mut |step, total| {
        bar.at(step, total);
    })?;
    bar.clear();
    if let Some(note) = rebuilt.note() {
        tell(arguments.quiet, format!("note: {note}"));
    }
    let done = rebuilt.replayed;
    let hash = match done.verified {
        Some(digest) => format!("the weights' hash is that of the run's end, {digest}"),
        None if arguments.steps.is_some() => "of weights on the way there is no hash to compare with".to_owned(),
        None => "the run did not end at its last step, so there is no hash to compare with".to_owned(),
    };
    if !arguments.quiet {
        print(format!("{} steps replayed into {}; {hash}", done.steps, arguments.out.display()))?;
    }
    Ok(Ended::Well)
}

//! `polder publish`.

use anyhow::Result;
use polder::card::What;
use polder::publish::{Prepared, Request, prepare};

use super::Ended;
use super::args::{Publish, PublishArgs};
use super::output::{print, tell};

pub(super) fn run(arguments: &PublishArgs) -> Result<Ended> {
    if arguments.dry_run {
        address(&arguments.id)?;
        let prepared = prepare(&request(arguments, arguments.base.as_deref(), arguments.license.as_deref()))?;
        prepared.check()?;
        return listed(arguments, &prepared);
    }
    online::run(arguments)
}

fn request<'a>(arguments: &'a PublishArgs, base: Option<&'a str>, license: Option<&'a str>) -> Request<'a> {
    let what = match arguments.what {
        Publish::Full => What::Full,
        Publish::Trajectory => What::Trajectory,
        Publish::Both => What::Both,
    };
    Request { run: &arguments.run, id: &arguments.id, what, base, license }
}

/// Lists what would go.
fn listed(arguments: &PublishArgs, prepared: &Prepared) -> Result<Ended> {
    prepared.notes.iter().for_each(|note| tell(arguments.quiet, format!("note: {note}")));
    if arguments.license.is_none() {
        tell(
            arguments.quiet,
            "note: the licence is read from the base's card when it is published; --license names one",
        );
    }
    print(format!("{} on branch {}:", arguments.id, arguments.revision))?;
    let width = prepared.items.iter().map(|item| item.path.len()).max().unwrap_or(0);
    for item in &prepared.items {
        print(format!("  {:width$}  {:>12} bytes", item.path, item.bytes))?;
    }
    print(format!("  {:width$}  {:>12} bytes", "in all", prepared.items.iter().map(|item| item.bytes).sum::<u64>()))?;
    print(format!("\n{}", prepared.card.trim_end()))?;
    Ok(Ended::Well)
}

#[cfg(feature = "hub")]
fn address(id: &str) -> Result<()> {
    Ok(polder_hub::Address::model(id).map(drop).map_err(polder::Error::from)?)
}

#[cfg(not(feature = "hub"))]
fn address(_: &str) -> Result<()> {
    Ok(())
}

#[cfg(not(feature = "hub"))]
mod online {
    use super::*;

    pub(super) fn run(arguments: &PublishArgs) -> Result<Ended> {
        Err(polder::Error::NoHub { address: arguments.id.clone() }.into())
    }
}

#[cfg(feature = "hub")]
mod online {
    use std::path::{Path, PathBuf};

    use polder::hub;
    use polder_hub::{PublishOptions, Upload};
    use polder_optim::trajectory::Trajectory;

    use super::*;
    use crate::cli::transfer::Transfer;

    pub(super) fn run(arguments: &PublishArgs) -> Result<Ended> {
        // What is wrong with the name, the run or the token is known before anything is fetched or hashed.
        address(&arguments.id)?;
        drop(prepare(&request(arguments, arguments.base.as_deref(), None))?);
        let mut bar = Transfer::new(arguments.quiet);
        let base = match &arguments.base {
            Some(base) => Some(checked(arguments, base, &mut bar)?),
            None => None,
        };
        let license = license(arguments, base.as_deref())?;
        let prepared = prepare(&request(arguments, base.as_deref(), license.as_deref()))?;
        prepared.check()?;
        prepared.notes.iter().for_each(|note| tell(arguments.quiet, format!("note: {note}")));
        let upload = |item: &polder::publish::Item| Upload { path: item.path.clone(), file: item.file.clone() };
        let uploads: Vec<Upload> = prepared.items.iter().map(upload).collect();
        let options = PublishOptions {
            private: arguments.private,
            revision: Some(arguments.revision.clone()),
            overwrite: arguments.overwrite,
            message: arguments.message.clone().unwrap_or_else(|| "Upload a run of polder".to_owned()),
        };
        let done = hub::publish(&arguments.id, &uploads, &options, &mut |p| bar.at(p))?;
        bar.clear();
        tell(arguments.quiet, format!("sent: {}; there already: {}", list(&done.sent), list(&done.unchanged)));
        print(format!("{} at commit {}", done.page, done.commit))?;
        Ok(Ended::Well)
    }

    fn list(files: &[String]) -> String {
        if files.is_empty() { "nothing".to_owned() } else { files.join(", ") }
    }

    /// Fetches the base that is named and compares it with the one that the run started from; gives its pinned address.
    fn checked(arguments: &PublishArgs, base: &str, bar: &mut Transfer) -> Result<String> {
        if hub::address(Path::new(base)).is_none() {
            anyhow::bail!("`--base {base}` is no address on the Hub\nhint: write --base hf://owner/name@revision");
        }
        let fetched = hub::model(base, &mut |p| bar.at(p))?;
        bar.clear();
        tell(arguments.quiet, format!("comparing {} with the weights that the run started from", fetched.address));
        let log = Trajectory::open(arguments.run.join("trajectory")).map_err(polder::Error::from)?;
        polder::replay::check_base(&log, &PathBuf::from(&fetched.address))?;
        Ok(fetched.address)
    }

    /// The licence that was named, else the base's.
    fn license(arguments: &PublishArgs, base: Option<&str>) -> Result<Option<String>> {
        if let Some(license) = &arguments.license {
            return Ok(Some(license.clone()));
        }
        let log = Trajectory::open(arguments.run.join("trajectory")).map_err(polder::Error::from)?;
        let own = hub::path_of(&log.header().model).display().to_string();
        let base = base.map_or(own, str::to_owned);
        if hub::address(Path::new(&base)).is_none() {
            return Ok(None);
        }
        let found = hub::license(&base)?;
        if found.is_none() {
            tell(arguments.quiet, format!("note: the card of {base} names no licence; --license names one"));
        }
        Ok(found)
    }
}
